"""Voxel size: taken from the layer or the model, until the user enters another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    Size = tuple[float, float, float]

_DECIMALS = 4
_LARGEST = 10_000.0  # µm


class VoxelBox(QWidget):
    """Three numbers along z, y and x in µm, and where they come from.

    Setters in: ``set_layer_size``, ``set_model_size``, ``set_value``. Signal out: ``changed``.

    Parameters
    ----------
    tooltip : str
        Of the numbers.
    """

    changed = Signal()

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Size | None = None
        self._model: Size | None = None
        self._is_entered = False
        self.setToolTip(tooltip)
        self._boxes = [self._make_box(letter, tooltip) for letter in "zyx"]
        self.source = QLabel()
        self.reset_button = QToolButton()
        self.reset_button.setText("Reset")
        self.reset_button.setToolTip("Take the layer's voxel size again, or the model's")
        self.reset_button.clicked.connect(self._reset)
        self._lay_out()
        self._show_known()

    def value(self) -> Size | None:
        """Voxel size that the user entered; None while it is the layer's or the model's."""
        if not self._is_entered:
            return None
        z, y, x = (box.value() for box in self._boxes)
        return z, y, x

    def set_value(self, value: Size | None) -> None:
        """Show a voxel size as entered; None goes back to the layer's or the model's."""
        before = self.value()
        self._is_entered = value is not None
        if value is None:
            self._show_known()
        else:
            self._show(value, "entered by hand")
        if self.value() != before:
            self.changed.emit()

    def set_model_size(self, size: Size | None) -> None:
        """Tell the model's voxel size, for layers that have none."""
        self._model = size
        if not self._is_entered:
            self._show_known()

    def set_layer_size(self, size: Size | None) -> None:
        """Tell the layer's voxel size; what was entered for a layer of another size goes."""
        is_other, self._layer = size != self._layer, size
        if self._is_entered and is_other:
            self.set_value(None)
        elif not self._is_entered:
            self._show_known()

    def _reset(self) -> None:
        self.set_value(None)

    def _note_entry(self) -> None:
        self._is_entered = True
        self._show_source("entered by hand")
        self.changed.emit()

    def _show_known(self) -> None:
        if self._layer is not None:
            self._show(self._layer, "from the layer")
        elif self._model is not None:
            self._show(self._model, "from the model")
        else:
            self._show((0.0, 0.0, 0.0), "unknown")

    def _show(self, size: Size, source: str) -> None:
        for box, length in zip(self._boxes, size, strict=True):
            box.blockSignals(True)
            box.setValue(length)
            box.blockSignals(False)
        self._show_source(source)

    def _show_source(self, source: str) -> None:
        unknown = source == "unknown"
        self.source.setText("unknown; voxels are taken as they are" if unknown else f"µm, {source}")
        self.reset_button.setVisible(self._is_entered)

    def _make_box(self, letter: str, tooltip: str) -> QDoubleSpinBox:
        box = _Length()
        box.setDecimals(_DECIMALS)
        box.setRange(0.0, _LARGEST)
        box.setPrefix(f"{letter} ")
        box.setSpecialValueText(f"{letter} ?")  # no voxel has the length 0
        box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        box.setKeyboardTracking(False)
        box.setMinimumWidth(60)
        box.setToolTip(tooltip)
        box.setAccessibleName(f"Voxel size along {letter}")
        box.valueChanged.connect(self._note_entry)
        return box

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        numbers, words = QHBoxLayout(), QHBoxLayout()
        numbers.setSpacing(4)
        for box in self._boxes:
            numbers.addWidget(box)
        words.addWidget(self.source, 1)
        words.addWidget(self.reset_button)
        layout.addLayout(numbers)
        layout.addLayout(words)


class _Length(QDoubleSpinBox):
    def textFromValue(self, value: float) -> str:
        """Leave out noughts at the end."""
        return super().textFromValue(value).rstrip("0").rstrip(self.locale().decimalPoint())
