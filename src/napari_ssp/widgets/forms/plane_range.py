"""All planes of a stack, or those from one to another."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from napari_ssp.widgets.forms.fields import ChoiceBox


class PlaneRange(QWidget):
    """Choice between all planes and a range of them, counted from 0 as on the slider.

    Setters in: ``set_planes``, ``set_value``. Signal out: ``changed``.

    Parameters
    ----------
    tooltip : str
        Of all parts.
    """

    changed = Signal()

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(tooltip)
        self._kind = ChoiceBox(tooltip)
        self._first, self._last = QSpinBox(), QSpinBox()
        for box in (self._first, self._last):
            box.setToolTip(tooltip)
            box.setKeyboardTracking(False)
        self._first.setAccessibleName("First plane")
        self._last.setAccessibleName("Last plane")
        self._numbers = QWidget()
        self._lay_out()
        self.set_planes(1)
        self._kind.currentIndexChanged.connect(self._change_kind)
        self._first.valueChanged.connect(self._change_first)
        self._last.valueChanged.connect(self._change_last)

    def value(self) -> tuple[int, int] | None:
        """(first, last + 1), or None for all."""
        if not self._kind.value():
            return None
        return self._first.value(), self._last.value() + 1

    def set_value(self, value: tuple[int, int] | None) -> None:
        """Show a range, as far as the stack has its planes; None shows all."""
        before = self.value()
        self.blockSignals(True)
        if value is not None:
            self._last.setValue(value[1] - 1)
            self._first.setValue(value[0])
        self._kind.set_value(value is not None)
        self.blockSignals(False)
        if self.value() != before:
            self.changed.emit()

    def set_planes(self, count: int) -> None:
        """Tell how many planes there are; a range over all of them goes along."""
        was_last = self._last.value() == self._last.maximum()
        for box in (self._first, self._last):
            box.setRange(0, max(count - 1, 0))
        if was_last:
            self._last.setValue(self._last.maximum())
        self._kind.set_choices([(f"All {count} planes", False), ("Some planes", True)])
        self._show_numbers()

    def _change_kind(self) -> None:
        self._show_numbers()
        self.changed.emit()

    def _change_first(self, first: int) -> None:
        if first > self._last.value():
            self._last.setValue(first)  # tells of the change itself
        else:
            self._tell()

    def _change_last(self, last: int) -> None:
        if last < self._first.value():
            self._first.setValue(last)
        else:
            self._tell()

    def _tell(self) -> None:
        if self._kind.value():
            self.changed.emit()

    def _show_numbers(self) -> None:
        self._numbers.setVisible(bool(self._kind.value()))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._kind)
        numbers = QHBoxLayout(self._numbers)
        numbers.setContentsMargins(0, 0, 0, 0)
        numbers.addWidget(self._first, 1)
        numbers.addWidget(QLabel("to"))
        numbers.addWidget(self._last, 1)
        layout.addWidget(self._numbers)
