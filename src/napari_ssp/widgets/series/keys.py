"""Keys of a series."""

from __future__ import annotations

from napari_ssp.widgets.docks.keys import DockKeys

SERIES_KEYS = DockKeys(
    "Series",
    {
        "show_next": ("Shift-J", "next image of the series"),
        "show_previous": ("Shift-K", "previous image of the series"),
    },
)
