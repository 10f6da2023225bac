"""Editor of a whole number that may be left to something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QSpinBox

from napari_ssp.widgets.fields import Editor

if TYPE_CHECKING:
    from dataclasses import Field


def optional_number_editor(item: Field[Any], changed: Any, without: str) -> Editor:
    """Spin box whose lowest position stands for None.

    Parameters
    ----------
    item : dataclasses.Field
        With label, help and limits, of which the lower one is not below 0.
    changed : Signal
        Emitted after every change.
    without : str
        What the box says for None.
    """
    box: Any = QSpinBox()
    lowest = item.metadata["min"] - 1
    box.setRange(lowest, item.metadata["max"])
    box.setSpecialValueText(without)
    box.setValue(lowest)
    box.setKeyboardTracking(False)
    box.setToolTip(item.metadata["help"])
    box.valueChanged.connect(changed)

    def get() -> int | None:
        return None if box.value() == lowest else int(box.value())

    def show(value: int | None) -> None:
        box.setValue(lowest if value is None else value)

    return Editor(box, get, show)
