"""The Track form: a plain widget that shows and edits one TrackChoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.service import TrackChoices
from napari_ssp.widgets.forms.editor_form import EditorForm

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

_LINKINGS = (
    ("By overlap", "overlap"),
    ("By distance", "laptrack"),
    ("By number, as it is", "numbers"),
)
#: Linkings to which a choice means something.
_APPLIES = {
    "link_overlap": ("overlap",),
    "max_distance": ("laptrack",),
    "max_gap": ("laptrack",),
    "divisions": ("overlap", "laptrack"),
}


class TrackForm(EditorForm):
    """Form of the choices of a tracking. Setters in: those of `EditorForm`, ``set_unit``."""

    value_type = TrackChoices

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._linking = self._add_choice("linking")
        self._linking.set_choices(_LINKINGS)
        self._add_numbers("link_overlap", "max_distance", "max_gap")
        self._add_checks("divisions")
        self._distance: Any = self._editors["max_distance"].widget
        self.set_unit("µm")
        self._lay_out(tuple(self._editors), ())
        self._linking.currentIndexChanged.connect(self._show_applying)
        self._show_applying()

    def set_unit(self, unit: str) -> None:
        """Name the unit of the distance, of which a step is one."""
        self._distance.setSingleStep(1.0)
        self._distance.setSuffix(f" {unit}")

    def _show_applying(self) -> None:
        for name, linkings in _APPLIES.items():
            self._set_applies(name, self._linking.value() in linkings)
