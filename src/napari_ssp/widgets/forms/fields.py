"""Editors made from the fields of a value object: label, help and limits are stated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox, QWidget

from napari_ssp.widgets.forms.elided import ElidedComboBox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_ssp.schema import FieldDescription


@dataclass(frozen=True)
class Editor:
    """A widget that edits one field.

    Attributes
    ----------
    widget : QWidget
        What the person sees.
    get, set : callable
        Read and write the value.
    """

    widget: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], None]


def number_editor(item: FieldDescription, changed: Any) -> Editor:
    """Spin box with the limits of a number's field.

    Parameters
    ----------
    item : FieldDescription
        Its default decides between whole numbers and decimals.
    changed : Signal
        Emitted after every change. A signal, as a lambda would keep its owner alive.
    """
    box = _spin_box(item)
    box.setRange(item.min, item.max)
    box.setValue(item.default)
    box.setKeyboardTracking(False)  # "0.5" typed is one change, not three
    box.setToolTip(item.help)
    box.valueChanged.connect(changed)
    return Editor(box, box.value, box.setValue)


def check_editor(item: FieldDescription, changed: Any) -> Editor:
    """Check box, with the field's label, for a yes or no."""
    box = QCheckBox(item.label)
    box.setChecked(bool(item.default))
    box.setToolTip(item.help)
    box.toggled.connect(changed)
    return Editor(box, box.isChecked, box.setChecked)


class ChoiceBox(ElidedComboBox):
    """Combo box of named values; None is a value too."""

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[Any] = []
        self.setToolTip(tooltip)
        # A long name must not widen the dock; the list shows it in full.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)

    def set_choices(self, choices: Iterable[tuple[str, Any]]) -> None:
        """Replace the names and values; the chosen value stays chosen where it is still there."""
        before, entries = self.value(), list(choices)
        names = [self.itemText(index) for index in range(self.count())]
        if entries == list(zip(names, self._values, strict=True)):
            return
        self.blockSignals(True)
        self.clear()
        self.addItems([name for name, _ in entries])
        for index, (name, _) in enumerate(entries):
            self.setItemData(index, name, Qt.ItemDataRole.ToolTipRole)  # long names are cut off
        self._values = [value for _, value in entries]
        self.set_value(before)
        self.blockSignals(False)
        if self.value() is not before:
            self.currentIndexChanged.emit(self.currentIndex())
        else:
            self._tell_name()  # it may be called otherwise now

    def value(self) -> Any:
        """Chosen value; None without choices."""
        index = self.currentIndex()
        return self._values[index] if 0 <= index < len(self._values) else None

    def values(self) -> list[Any]:
        """All values on offer."""
        return list(self._values)

    def set_value(self, value: Any) -> None:
        """Choose a value; the first one where there is no such value."""
        self.setCurrentIndex(self._values.index(value) if value in self._values else 0)

    def __contains__(self, value: Any) -> bool:
        return value in self._values


def optional_number_editor(item: FieldDescription, changed: Any, without: str) -> Editor:
    """Spin box whose lowest position stands for None.

    Parameters
    ----------
    item : FieldDescription
        With label, help and limits, of which the lower one is not below 0.
    changed : Signal
        Emitted after every change.
    without : str
        What the box says for None.
    """
    box = _spin_box(item)
    lowest = item.min - box.singleStep()
    box.setRange(lowest, item.max)
    box.setSpecialValueText(without)
    box.setValue(lowest)
    box.setKeyboardTracking(False)
    box.setToolTip(item.help)
    box.valueChanged.connect(changed)

    def get() -> float | None:
        return None if box.value() < item.min else box.value()

    def show(value: float | None) -> None:
        box.setValue(lowest if value is None else value)

    return Editor(box, get, show)


def _spin_box(item: FieldDescription) -> Any:
    if item.kind is not float:
        return QSpinBox()
    box = QDoubleSpinBox()
    box.setDecimals(2)
    box.setSingleStep(0.05)
    return box
