"""The Cells and nuclei form: a plain widget that shows and edits one CompartmentsChoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.compartments.choices import CompartmentsChoices
from napari_ssp.widgets.forms.fields import optional_number_editor
from napari_ssp.widgets.forms.model_form import PRECISIONS, ChoiceForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

_PLAIN = (
    "channel",
    "model",
    "nuclei_model",
    "all_planes",
    "stacks",
    "device",
    "visible_only",
)
_ADVANCED = (
    "cells_alone",
    "diameter",
    "nuclei_diameter",
    "cell_threshold",
    "nuclei_cell_threshold",
    "flow_threshold",
    "nuclei_flow_threshold",
    "min_size",
    "nuclei_min_size",
    "precision",
    "compute",
)
_STACKS = (
    ("Each plane by itself", "planes"),
    ("Linked where they overlap", "linked"),
    ("3D objects (experimental)", "volume"),
)


class CompartmentsForm(ChoiceForm):
    """Form of the choices for cells and nuclei.

    Setters in: those of :class:`ChoiceForm`, ``set_planes`` and ``set_sees_nuclei``.
    """

    value_type = CompartmentsChoices

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._channel.setToolTip("Channel with the cells")
        self._nuclei_model = self._add_choice("nuclei_model")
        self._planes = self._add_choice("all_planes")
        self._stacks = self._add_choice("stacks")
        self._stacks.set_choices(_STACKS)
        self._add_choice("precision").set_choices(PRECISIONS)
        for name in ("diameter", "nuclei_diameter"):
            item = self._fields[name]
            self._editors[name] = optional_number_editor(item, self.changed, "as the model knows")
        for what in ("cell_threshold", "flow_threshold", "min_size"):
            self._add_numbers(what, f"nuclei_{what}")
        for name in ("diameter", "nuclei_diameter", "min_size", "nuclei_min_size"):
            self._editors[name].widget.setSuffix(" px")  # type: ignore[attr-defined]
        self._add_checks("visible_only", "cells_alone")
        self._lay_out(_PLAIN, _ADVANCED)
        self._planes.currentIndexChanged.connect(self._show_stacks)
        self.set_channels(())
        self.set_planes(1)

    def change(self, **values: Any) -> None:
        """Show other values; models that are not in the lists are added to them."""
        name, known = values.get("nuclei_model"), self._nuclei_model.values()
        if name is not None and name not in known:
            self._nuclei_model.set_choices((each, each) for each in (*known, name))
        super().change(**values)

    def set_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer models, each by name and description, for cells and for nuclei."""
        is_first = self._model.value() is None
        super().set_models(models)
        self._nuclei_model.set_choices((name, name) for name, _ in models)
        if is_first:
            self.change(**{n: self._fields[n].default for n in ("model", "nuclei_model")})

    def set_planes(self, count: int) -> None:
        """Offer the current plane or all of them; for a single plane the row is hidden."""
        self._planes.set_choices([("Current plane", False), (f"All {count} planes", True)])
        self._set_applies("all_planes", count > 1)
        self._show_stacks()

    def set_sees_nuclei(self, sees: bool) -> None:
        """Tell whether the model for cells takes the nuclei as a second channel."""
        self._set_applies("cells_alone", sees)

    def _show_stacks(self) -> None:
        several = "all_planes" not in self._idle and bool(self._planes.value())
        self._set_applies("stacks", several)
