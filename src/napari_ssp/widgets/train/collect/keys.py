"""Keys of who corrects labels."""

from __future__ import annotations

from napari_ssp.widgets.docks.keys import DockKeys

COLLECT_KEYS = DockKeys(
    "Train",
    {
        "add": ("Shift-T", "add the labels to the training set"),
        "show_next": ("Shift-N", "next suggested region"),
    },
)
