"""The Segment form: a plain widget that shows and edits one SegmentChoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.choice_form import ChoiceForm
from napari_ssp.widgets.choices import SegmentChoices

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

_PLAIN = (
    "model",
    "channel",
    "all_planes",
    "cell_threshold",
    "flow_threshold",
    "min_size",
    "device",
    "visible_only",
)
_ADVANCED = ("overlap", "batch_size", "tta", "keep_flows", "keep_probability")


class SegmentForm(ChoiceForm):
    """Form of the choices of a segmentation.

    Setters in: those of :class:`ChoiceForm` and ``set_planes``.
    """

    value_type = SegmentChoices

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._channel.setToolTip("Channel to segment")
        self._planes = self._add_choice("all_planes")
        self._add_numbers("cell_threshold", "flow_threshold", "min_size", "overlap", "batch_size")
        self._add_checks("visible_only", "tta", "keep_flows", "keep_probability")
        size_box: Any = self._editors["min_size"].widget
        size_box.setSuffix(" px")
        self._lay_out(_PLAIN, _ADVANCED)
        self.set_channels(())
        self.set_planes(1)

    def set_planes(self, count: int) -> None:
        """Offer the current plane or all of them; for a single plane the row is hidden."""
        self._planes.set_choices([("Current plane", False), (f"All {count} planes", True)])
        self._form.setRowVisible(self._planes, count > 1)
