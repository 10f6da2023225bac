"""Keys that give the object under the pointer a class."""

from __future__ import annotations

from napari_ssp.widgets.docks.keys import DockKeys

#: Classes that have a key.
KEYS = 9
CLASS_KEYS = DockKeys(
    "Classes",
    {
        **{
            f"give_{n}": (str(n), f"give the object under the pointer class {n}")
            for n in range(1, KEYS + 1)
        },
        "undo": ("U", "take the last example back"),
    },
)
