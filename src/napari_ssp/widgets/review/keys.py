"""Keys of a review."""

from __future__ import annotations

from napari_ssp.widgets.docks.keys import DockKeys

REVIEW_KEYS = DockKeys(
    "Review",
    {
        "show_next": ("J", "next object of the list"),
        "show_previous": ("K", "previous object of the list"),
        "accept": ("Y", "accept the object and go on"),
        "reject": ("N", "reject the object and go on"),
        "edit": ("Shift-E", "edit the object"),
    },
)
