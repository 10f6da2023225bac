"""The Segment form: a plain widget that shows and edits one SegmentChoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.forms.diameter_box import DiameterBox
from napari_ssp.widgets.forms.fields import Editor, optional_number_editor
from napari_ssp.widgets.forms.model_form import PRECISIONS, ChoiceForm
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.defaults_note import DefaultsNote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

_PLAIN = (
    "model",
    "channel",
    "nuclei",
    "all_planes",
    "stacks",
    "cell_threshold",
    "flow_threshold",
    "min_size",
    "device",
    "visible_only",
    "error_map",
)
_ADVANCED = (
    "diameter",
    "hole_size",
    "precision",
    "compute",
    "normalise",
    "overlap",
    "batch_size",
    "tile",
    "tta",
    "eightfold",
    "average_with",
    "fallback",
    "keep_flows",
    "keep_probability",
)
#: What the sliders of a finished run change too.
_THRESHOLDS = ("cell_threshold", "flow_threshold", "min_size", "hole_size")
#: Entries where a single model is installed: none and that one.
_ONE_MODEL = 2
_NO_OTHER = ("No other model", None)
_NO_NUCLEI = ("No other channel", None)
_NORMALISATIONS = (
    ("Automatic", "auto"),
    ("Whole image", "image"),
    ("By region", "region"),
)
_STACKS = (
    ("Each plane by itself", "planes"),
    ("Linked where they overlap", "linked"),
    ("3D objects (experimental)", "volume"),
)


class SegmentForm(ChoiceForm):
    """Form of the choices of a segmentation.

    Setters in: those of :class:`ChoiceForm`, ``set_planes``, ``set_critic`` and
    ``take_thresholds``; ``size_box`` has its own.
    """

    value_type = SegmentChoices

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._taken: tuple[dict[str, Any], str] = ({}, "")
        # The model and the critic that knows it; and what was chosen for other such pairs.
        self._reviewed: tuple[str, str | None] = ("", None)
        self._error_maps: dict[tuple[str, str | None], bool] = {}
        self._is_written = False
        self._channel.setToolTip("Channel to segment")
        self._nuclei = self._add_choice("nuclei")
        self._planes = self._add_choice("all_planes")
        self._stacks = self._add_choice("stacks")
        self._stacks.set_choices(_STACKS)
        self._other = self._add_choice("average_with")
        self._other.set_choices([_NO_OTHER])
        self._add_choice("precision").set_choices(PRECISIONS)
        self._add_choice("normalise").set_choices(_NORMALISATIONS)
        self.size_box = DiameterBox(self._fields["diameter"].help)
        self.size_box.changed.connect(self.changed)
        self._editors["diameter"] = Editor(
            self.size_box, self.size_box.value, self.size_box.set_value
        )
        self._add_numbers("cell_threshold", "flow_threshold", "min_size", "batch_size")
        self._editors["overlap"] = optional_number_editor(
            self._fields["overlap"], self.changed, "as the model says"
        )
        self._editors["hole_size"] = optional_number_editor(
            self._fields["hole_size"], self.changed, "as the minimum size"
        )
        self._editors["tile"] = optional_number_editor(
            self._fields["tile"], self.changed, "2048, above 16 Mpx"
        )
        self._add_checks(
            "visible_only",
            "error_map",
            "fallback",
            "tta",
            "eightfold",
            "keep_flows",
            "keep_probability",
        )
        for name in ("min_size", "hole_size", "tile"):
            self._editors[name].widget.setSuffix(" px")  # type: ignore[attr-defined]
        self._lay_out(_PLAIN, _ADVANCED)
        self._add_note()
        self._planes.currentIndexChanged.connect(self._show_stacks)
        self.set_channels(())
        self.set_planes(1)
        self._set_applies("average_with", False)
        self.set_in_zarr(False)
        self._show_error_map()

    def set_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer models, each by name and description, also to be averaged with another."""
        super().set_models(models)
        self._other.set_choices([_NO_OTHER, *((name, name) for name, _ in models)])
        self._set_applies("average_with", len(self._other.values()) > _ONE_MODEL)

    def set_channels(self, channels: Sequence[tuple[str, int | None]]) -> None:
        """Offer channels by name and number, also one for the nuclei where there are several."""
        super().set_channels(channels)
        self._nuclei.set_choices([_NO_NUCLEI, *channels])
        self._set_applies("nuclei", len(channels) > 1)

    def set_planes(self, count: int) -> None:
        """Offer the current plane or all of them; for a single plane the row is hidden."""
        self._planes.set_choices([("Current plane", False), (f"All {count} planes", True)])
        self._set_applies("all_planes", count > 1)
        self._show_stacks()

    def set_in_zarr(self, lies_there: bool) -> None:
        """Offer blocks for an image that lies in an OME-Zarr."""
        self._set_applies("tile", lies_there)

    def set_written(self, is_written: bool) -> None:
        """Offer layers of what the network said only where labels are not written as made."""
        self._set_applies("keep_flows", not is_written)
        self._set_applies("keep_probability", not is_written)
        self._is_written = is_written
        self._show_error_map()

    def set_critic(self, model: str, critic: str | None, by_itself: bool) -> None:
        """Offer an error map by the critic that knows the model; without one the row is hidden.

        Parameters
        ----------
        model : str
            The chosen model.
        critic : str or None
            Name of the critic.
        by_itself : bool
            Whether the choice is ticked until a person has chosen otherwise for this model.
        """
        if (model, critic) != self._reviewed:
            tick = self._editors["error_map"]
            self._error_maps[self._reviewed] = tick.get()
            self._reviewed = model, critic
            tick.set(self._error_maps.get(self._reviewed, by_itself))
            words = f": {critic}" if critic else ""
            tick.widget.setToolTip(f"{self._fields['error_map'].help}{words}")
        self._show_error_map()

    def insert_before_advanced(self, widget: QWidget) -> None:
        """Put a widget of the connected dock below the plain choices."""
        row, _ = self._form.getWidgetPosition(self._toggle)
        self._form.insertRow(row, widget)

    def take_thresholds(self, origin: str, **values: Any) -> None:
        """Show thresholds that were found good for a layer, and say so until they change."""
        self.change(**values)
        self._taken = self._thresholds(), origin
        self._show_note()

    def _add_note(self) -> None:
        self.note = DefaultsNote()
        self.note.defaults_clicked.connect(self._reset_thresholds)
        row, _ = self._form.getWidgetPosition(self._editors["min_size"].widget)
        self._form.insertRow(row + 1, self.note)
        self.changed.connect(self._show_note)
        self._show_note()

    def _thresholds(self) -> dict[str, Any]:
        return {name: self._editors[name].get() for name in _THRESHOLDS}

    def _show_note(self) -> None:
        """Say where thresholds come from that are not those that models begin with."""
        chosen, (taken, origin) = self._thresholds(), self._taken
        is_taken = chosen == taken
        self.note.set_text(
            f"Thresholds as committed with '{origin}'; they hold for the next run too."
            if is_taken
            else "Thresholds are not the model's defaults."
        )
        defaults = {name: self._fields[name].default for name in _THRESHOLDS}
        self._form.setRowVisible(self.note, chosen != defaults)

    def _reset_thresholds(self) -> None:
        self.change(**{name: self._fields[name].default for name in _THRESHOLDS})

    def _show_error_map(self) -> None:
        self._set_applies("error_map", self._reviewed[1] is not None and not self._is_written)

    def _show_stacks(self) -> None:
        several = "all_planes" not in self._idle and bool(self._planes.value())
        self._set_applies("stacks", several)
