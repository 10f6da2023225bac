"""Size of the objects: the model's own, or a diameter that is entered, drawn or estimated."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.forms.wrapped_label import WrappedLabel

_LARGEST = 100_000.0  # pixels
_FIRST = 30.0
_MICROMETRES, _PIXELS = "µm", "px"


class DiameterBox(QWidget):
    """Choice between the model's own size of objects and a diameter, in pixels or µm.

    Setters in: ``set_value``, ``set_pixel_size``, ``set_model``. Signals out: ``changed``,
    ``estimate_clicked``, ``shape_clicked``.

    Parameters
    ----------
    tooltip : str
        Of the choice and of the number.
    """

    changed = Signal()
    estimate_clicked = Signal()
    shape_clicked = Signal()

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixels = _FIRST
        self._typed: float | None = None  # in µm
        self._micrometres: float | None = None
        self._known: float | None = None
        self._zoom = 1.0
        self.setToolTip(tooltip)
        self.kind = ChoiceBox(tooltip)
        self.kind.set_choices([("The model's own", False), ("Diameter", True)])
        self.number: Any = QDoubleSpinBox()
        self.number.setKeyboardTracking(False)
        self.number.setToolTip(tooltip)
        self.unit = ChoiceBox("Unit of the diameter")
        self.unit.setAccessibleName("Unit of the diameter")
        self.estimate_button = QPushButton("Estimate")
        self.estimate_button.setToolTip(
            "Look at the middle of the image at several magnifications and propose a diameter"
        )
        self.shape_button = QPushButton("From shape")
        self.shape_button.setToolTip(
            "Measure what is selected in a Shapes layer: a line across a cell, or an ellipse or "
            "rectangle around it"
        )
        self.hint = WrappedLabel()
        self._lay_out()
        self.set_pixel_size(None)
        self._connect()
        self._refresh()

    def value(self) -> float | None:
        """Diameter in pixels of the image; None for the model's own size."""
        return self._pixels if self.kind.value() else None

    def set_value(self, value: float | None) -> None:
        """Show a diameter in pixels, or the model's own size."""
        before = self.value()
        self.blockSignals(True)
        if value is not None:
            self._pixels, self._typed = min(max(float(value), 1.0), _LARGEST), None
        self.kind.set_value(value is not None)
        self.blockSignals(False)
        self._refresh()
        if self.value() != before:
            self.changed.emit()

    def set_pixel_size(self, micrometres: float | None) -> None:
        """Tell the size of a pixel in µm; with it, the diameter may be in µm, and stays so long."""
        if self.unit.count() and micrometres == self._micrometres:
            return
        is_new, self._micrometres = self._micrometres is None, micrometres
        known = [(_MICROMETRES, _MICROMETRES)] if micrometres else []
        self.unit.set_choices([*known, (_PIXELS, _PIXELS)])
        if is_new:
            self.unit.setCurrentIndex(0)
        self.unit.setEnabled(micrometres is not None)
        if micrometres and self._typed is not None:
            self._pixels = min(max(self._typed / micrometres, 1.0), _LARGEST)
        self._refresh()

    def set_model(self, object_diameter: float | None, zoom: float) -> None:
        """Tell what size of objects the model knows, as it sees them, and its own magnification."""
        self._known, self._zoom = object_diameter, zoom
        if object_diameter is None:
            self.set_value(None)
        self.setEnabled(object_diameter is not None)
        self._refresh()

    def _refresh(self) -> None:
        chosen = bool(self.kind.value())
        self._numbers.setVisible(chosen)
        self.number.blockSignals(True)
        step = self._step()
        self.number.setRange(step, _LARGEST * step)
        self.number.setDecimals(1 if self.unit.value() == _PIXELS else 2)
        self.number.setValue(self._pixels * step)
        self.number.blockSignals(False)
        self.hint.setText(self._words())

    def _step(self) -> float:
        """Size of a pixel in the chosen unit."""
        size = self._micrometres if self.unit.value() == _MICROMETRES else None
        return size or 1.0

    def _words(self) -> str:
        if self._known is None:
            return "The model does not say which sizes of objects it knows."
        own = self._known / self._zoom
        size = f"{own:.0f} px"
        if self._micrometres:
            size = f"{own * self._micrometres:.3g} µm ({size})"
        if not self.kind.value():
            return f"Magnified {self._zoom:g} times, as it learned; its typical object is {size}."
        zoom = self._known / self._pixels
        return (
            f"Magnified {zoom:.2g} times instead of {self._zoom:g}; the model's typical object "
            f"is {size}."
        )

    def _change_number(self, number: float) -> None:
        self._pixels = number / self._step()
        self._typed = number if self.unit.value() == _MICROMETRES else None
        self.hint.setText(self._words())
        self.changed.emit()

    def _change_kind(self) -> None:
        self._refresh()
        self.changed.emit()

    def _connect(self) -> None:
        self.kind.currentIndexChanged.connect(self._change_kind)
        self.number.valueChanged.connect(self._change_number)
        self.unit.currentIndexChanged.connect(self._refresh)
        self.estimate_button.clicked.connect(self.estimate_clicked)
        self.shape_button.clicked.connect(self.shape_clicked)

    def _lay_out(self) -> None:
        layout, buttons = QVBoxLayout(self), QHBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._numbers = QWidget()
        numbers = QHBoxLayout(self._numbers)
        numbers.setContentsMargins(0, 0, 0, 0)
        self.unit.setMinimumContentsLength(3)
        numbers.addWidget(self.number, 2)
        numbers.addWidget(self.unit, 1)
        buttons.addWidget(self.estimate_button)
        buttons.addWidget(self.shape_button)
        layout.addWidget(self.kind)
        layout.addWidget(self._numbers)
        layout.addLayout(buttons)
        layout.addWidget(self.hint)
