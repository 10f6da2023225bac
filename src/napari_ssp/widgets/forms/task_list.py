"""Structures to tick, each with a line about what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_ssp.widgets.forms.elided import ElidedCheckBox
from napari_ssp.widgets.forms.wrapped_label import SmallPrint

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINES = 12  # then it scrolls


class TaskList(QScrollArea):
    """Checkable list of structures.

    Setters in: ``set_tasks``, ``set_value``. Signal out: ``changed``.

    Parameters
    ----------
    tooltip : str
        Of structures without a description.
    """

    changed = Signal()

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tasks: list[tuple[str, str]] = []
        self._boxes: dict[str, QCheckBox] = {}
        self.setToolTip(tooltip)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._fill([])

    def tasks(self) -> tuple[str, ...]:
        """Names of all structures on offer."""
        return tuple(self._boxes)

    def set_tasks(self, tasks: Sequence[tuple[str, str]]) -> None:
        """Offer structures by name and description; those that were ticked stay so."""
        if list(tasks) == self._tasks:
            return
        before = self.value()
        self._fill(list(tasks))
        self.set_value([name for name in before if name in self._boxes])
        if len(tasks) == 1:  # nothing to choose from
            self.set_value(tuple(self._boxes))
        if self.value() != before:
            self.changed.emit()

    def value(self) -> tuple[str, ...]:
        """Names of the ticked structures, in the order of the list."""
        return tuple(name for name, box in self._boxes.items() if box.isChecked())

    def set_value(self, chosen: Sequence[str]) -> None:
        """Tick structures; one that is not in the list is added to it."""
        missing = [(name, "") for name in chosen if name not in self._boxes]
        if missing:
            self._fill([*self._tasks, *missing])
        before = self.value()
        for name, box in self._boxes.items():
            box.blockSignals(True)
            box.setChecked(name in chosen)
            box.blockSignals(False)
        if self.value() != before:
            self.changed.emit()

    def _fill(self, tasks: list[tuple[str, str]]) -> None:
        self._tasks, self._boxes = tasks, {}
        self._inner = QWidget()
        layout = QVBoxLayout(self._inner)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(1)
        for name, description in tasks:
            box = self._boxes[name] = ElidedCheckBox(name)
            box.setToolTip(description or self.toolTip())
            box.toggled.connect(self.changed)
            layout.addWidget(box)
            if description:
                layout.addWidget(_Description(description, box))
        layout.addStretch(1)
        self.setWidget(self._inner)
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Follow the lines of the descriptions, which depend on the width."""
        super().resizeEvent(event)
        self._fit()

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Follow the lines of the descriptions, which depend on the style too."""
        if watched is self._inner and event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return bool(super().eventFilter(watched, event))

    def _fit(self) -> None:
        layout: Any = self._inner.layout()
        height = layout.totalHeightForWidth(self.width())
        wanted = height if height >= 0 else layout.totalSizeHint().height()
        most = _LINES * self.fontMetrics().lineSpacing()
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAlwaysOff if wanted <= most else policy.ScrollBarAlwaysOn
        )
        self.setFixedHeight(min(wanted, most))


class _Description(SmallPrint):
    """Small print below a check box; a click on it ticks the box."""

    def __init__(self, text: str, box: QCheckBox) -> None:
        super().__init__(text)
        self._box = box
        self.setToolTip(text)
        self.setStyleSheet("padding-left: 20px; padding-bottom: 3px;")

    def mouseReleaseEvent(self, event: Any) -> None:
        """Tick the box, as its own text does."""
        self._box.toggle()
