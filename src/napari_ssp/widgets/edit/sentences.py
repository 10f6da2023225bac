"""Sentences of the Edit dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.service import Tool

if TYPE_CHECKING:
    from napari_ssp.service import Edit

_DONE = {
    Tool.ADD: "Added",
    Tool.SPLIT: "Split, into",
    Tool.JOIN: "Joined, as",
    Tool.REMOVE: "Removed",
    Tool.GROW: "Grown:",
    Tool.SHRINK: "Shrunk:",
}


def edit_line(edit: Edit, depth: int) -> str:
    """Say what was done in a stack of so many planes."""
    objects = edit.objects
    noun = f"object{'s' * (len(objects) > 1)} {', '.join(map(str, objects))}"
    planes, _, pixels = edit.places
    count = np.unique(planes).size
    where = "" if depth == 1 else " in this plane" if count == 1 else f" in {count} planes"
    return f"{_DONE[edit.gesture.tool]} {noun}{where} ({pixels.size} px). Ctrl+Z takes it back."
