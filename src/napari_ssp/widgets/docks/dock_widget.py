"""Widget that is docked in the window: its letters follow the preferences, its leaving is told."""

from __future__ import annotations

from typing import Any

from napari.settings import get_settings
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QWidget

#: Widgets for which napari's own style sheet has no font size.
_BODY = "QLineEdit, QTableView, QHeaderView, CurvePlot, GateView"
_TITLES = "QToolButton"
_SMALL = "SmallPrint"


class DockWidget(QWidget):
    """What napari's window takes as a dock.

    Attributes
    ----------
    left : Signal
        The widget was taken out of the window for good.
    """

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setStyleSheet(_font_style())

    def changeEvent(self, event: Any) -> None:
        """Follow the font size of the preferences, which arrives as a new style."""
        super().changeEvent(event)
        style = _font_style() if event.type() == QEvent.Type.StyleChange else self.styleSheet()
        if style != self.styleSheet():
            self.setStyleSheet(style)

    def event(self, event: Any) -> bool:
        """Tell when the window has let go of the widget."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.left.emit()
        return bool(super().event(event))


def _font_style() -> str:
    """Style sheet of a dock for the font size of the preferences; labels are a point larger."""
    points = get_settings().appearance.font_size
    sizes = {_BODY: points, _TITLES: points + 1, _SMALL: max(points - 1, 1)}
    return " ".join(f"{kinds} {{ font-size: {size}pt; }}" for kinds, size in sizes.items())
