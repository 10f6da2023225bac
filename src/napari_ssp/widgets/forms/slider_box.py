"""A slider and a number that show the same value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QSlider, QWidget

from napari_ssp.widgets.forms.fields import number_editor

if TYPE_CHECKING:
    from napari_ssp.schema import FieldDescription

_STEPS = 200
_WIDEST = "99999 px"
_BUTTONS = 62  # pixels: napari's plus and minus, and the space beside them


@dataclass(frozen=True)
class Scale:
    """How far a slider reaches, and where it is fine.

    Attributes
    ----------
    start, end : float
        Values at the left and at the right; the number beside it may lie outside.
    power : float
        1 is even; 2 makes small values finer.
    off_at_end : bool
        0 means that there is no limit, and stands right of the largest limit.
    """

    start: float
    end: float
    power: float = 1.0
    off_at_end: bool = False

    def value(self, position: int) -> float:
        """Value at a position from 0 to 200."""
        if self.off_at_end and position == _STEPS:
            return 0.0
        return self.start + (self.end - self.start) * float((position / _STEPS) ** self.power)

    def position(self, value: float) -> int:
        """Position of a value; the nearer end for one that is out of reach."""
        if self.off_at_end and value == 0:
            return _STEPS
        share = min(max((value - self.start) / (self.end - self.start), 0.0), 1.0)
        last = _STEPS - 1 if self.off_at_end else _STEPS
        return min(round(_STEPS * float(share ** (1 / self.power))), last)


class SliderBox(QWidget):
    """Slider with its number; signal out: ``changed``.

    Parameters
    ----------
    item : FieldDescription
        Field with limits, default and help.
    scale : Scale
        Of the slider.
    suffix : str
        Unit, behind the number.
    """

    changed = Signal()

    def __init__(self, item: FieldDescription, scale: Scale, suffix: str = "") -> None:
        super().__init__()
        self._scale = scale
        self._sliding = False
        self._round = item.kind
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setToolTip(item.help)
        editor: Any = number_editor(item, self.changed)
        self._editor, self.number = editor, editor.widget
        self.number.setSuffix(suffix)
        if scale.off_at_end:
            self.number.setSpecialValueText("off")
        self.number.valueChanged.connect(self._follow_number)
        self.slider.valueChanged.connect(self._follow_slider)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)
        self._follow_number()
        self._fit()

    def changeEvent(self, event: Any) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def value(self) -> Any:
        """Value on display."""
        return self._editor.get()

    def set_value(self, value: Any) -> None:
        """Show a value."""
        self._editor.set(value)

    def _fit(self) -> None:
        """Make all numbers equally wide, so that sliders below each other are equally long."""
        self.number.ensurePolished()  # its font is known then
        self.number.setFixedWidth(self.number.fontMetrics().horizontalAdvance(_WIDEST) + _BUTTONS)

    def _follow_slider(self, position: int) -> None:
        value = self._scale.value(position)
        self._sliding = True  # rounding must not push the slider back
        self.number.setValue(round(value) if self._round is int else round(value, 2))
        self._sliding = False

    def _follow_number(self) -> None:
        if not self._sliding:
            self.slider.blockSignals(True)
            self.slider.setValue(self._scale.position(self.number.value()))
            self.slider.blockSignals(False)
