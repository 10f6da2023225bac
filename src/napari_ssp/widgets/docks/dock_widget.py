"""Widgets of napari's window: letters follow the preferences; docks are scrolling columns."""

from __future__ import annotations

from typing import Any

from napari.settings import get_settings
from qtpy.QtCore import QEvent, QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ssp.widgets.docks.file_offer import offer_once
from napari_ssp.widgets.docks.scroll_column import ScrollColumn
from napari_ssp.widgets.docks.tabs import join_tabs
from napari_ssp.widgets.forms.spoken_names import name_controls

#: Widgets for which napari's own style sheet has no font size.
_BODY = "QLineEdit, QTableView, QHeaderView, CurvePlot, GateView"
_TITLES = "QToolButton"
_SMALL = "SmallPrint"


class WindowWidget(QWidget):
    """What napari's window takes at one of its sides.

    Attributes
    ----------
    left : Signal
        The widget was taken out of the window for good.
    """

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setStyleSheet(_font_style())
        self._was_shown = False

    def settle(self) -> None:
        """Hear that the widget is on display, once."""
        name_controls(self)

    def showEvent(self, event: Any) -> None:
        """Settle at the first time."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self.settle()

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


class DockWidget(WindowWidget):
    """Column of widgets, a dock beside the canvas."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.column = ScrollColumn()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.column)

    def add(self, *parts: QWidget) -> None:
        """Put widgets below the others."""
        for part in parts:
            self.column.add(part)

    def settle(self) -> None:
        """Join the docks that are open already; the user may pull them apart again.

        The first dock of all offers to open image files with the plugin.
        """
        super().settle()
        offer = offer_once()
        if offer is not None:
            self.column.add_first(offer)
        QTimer.singleShot(0, self._join_docks)

    def _join_docks(self) -> None:
        join_tabs(self, DockWidget)


def _font_style() -> str:
    """Style sheet of a dock for the font size of the preferences; labels are a point larger."""
    points = get_settings().appearance.font_size
    sizes = {_BODY: points, _TITLES: points + 1, _SMALL: max(points - 1, 1)}
    return " ".join(f"{kinds} {{ font-size: {size}pt; }}" for kinds, size in sizes.items())
