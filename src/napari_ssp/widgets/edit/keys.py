"""Keys and words of the tools that edit objects."""

from __future__ import annotations

from napari_ssp.service import Tool
from napari_ssp.widgets.docks.keys import DockKeys

EDIT_KEYS = DockKeys(
    "Edit",
    {
        "toggle_add": ("A", "add a missed object by a click"),
        "toggle_split": ("S", "split an object by a line across it"),
        "toggle_join": ("C", "join objects by a line from one to the other"),
        "toggle_remove": ("D", "remove objects by a click or a line"),
        "toggle_grow": ("G", "grow an object by a click"),
        "toggle_shrink": ("H", "shrink an object by a click"),
    },
)
#: What to do while a tool is chosen.
HINTS = {
    Tool.ADD: "Click on a missed object.",
    Tool.SPLIT: "Draw a line across an object.",
    Tool.JOIN: "Draw a line from one object to the other.",
    Tool.REMOVE: "Click on an object, or draw a line over several.",
    Tool.GROW: "Click on an object.",
    Tool.SHRINK: "Click on an object.",
}
#: Tools that take a line; the others take a click, and dragging moves the view.
DRAWN = {Tool.SPLIT, Tool.JOIN, Tool.REMOVE}
