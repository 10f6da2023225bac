"""A column of widgets that scrolls where the window is too low for it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, QPoint, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

_LEAST_SIZE = (340, 200)  # pixels


class ScrollColumn(QScrollArea):
    """Widgets below each other, as wide as the column.

    Turning the wheel scrolls; it does not change numbers and choices that the pointer passes.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = QWidget()
        self._guard = _WheelGuard(self)
        self._column = QVBoxLayout(self._content)
        self._column.setSpacing(10)
        self._column.addStretch(1)
        self.setWidget(self._content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def add(self, widget: QWidget) -> None:
        """Put a widget below the others."""
        self._insert(self._column.count() - 1, widget)

    def add_first(self, widget: QWidget) -> None:
        """Put a widget above the others."""
        self._insert(0, widget)

    def _insert(self, place: int, widget: QWidget) -> None:
        self._column.insertWidget(place, widget)
        for kind in (QAbstractSpinBox, QComboBox, QSlider):
            for child in widget.findChildren(kind):
                child.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                child.installEventFilter(self._guard)

    def show_from(self, widget: QWidget) -> None:
        """Scroll until a widget in the column is at the top, where that is possible."""
        bar: Any = self.verticalScrollBar()
        bar.setValue(widget.mapTo(self._content, QPoint()).y())

    def sizeHint(self) -> QSize:
        """Ask for room for everything."""
        return self._content.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Ask at least for the width, and for a bar where it scrolls."""
        bar: Any = self.verticalScrollBar()
        width = self._content.minimumSizeHint().width() + bar.sizeHint().width()
        return QSize(max(width, _LEAST_SIZE[0]), _LEAST_SIZE[1])

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Ask again when the content has become wider."""
        if watched is self._content and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


class _WheelGuard(QObject):
    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Leave the wheel to the column, unless somebody is editing this field."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False
