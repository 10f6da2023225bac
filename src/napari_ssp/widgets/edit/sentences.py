"""Sentences of the Edit dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def edit_line(edit: Edit) -> str:
    """Say what was done."""
    objects = edit.objects
    noun = f"object{'s' * (len(objects) > 1)} {', '.join(map(str, objects))}"
    pixels = len(edit.places[0])
    return f"{_DONE[edit.gesture.tool]} {noun} ({pixels} px). Ctrl+Z takes it back."
