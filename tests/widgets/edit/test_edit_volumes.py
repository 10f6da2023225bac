"""3D objects edited with the mouse in a plane that a real viewer shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from dock_driver import LONG, Hand

from napari_ssp.service import Segmentation, Tool
from napari_ssp.widgets.edit.dock import EditDock
from napari_ssp.widgets.layers.edit_log import recorded_edits
from napari_ssp.widgets.layers.shown_segmentations import remember_segmentation

if TYPE_CHECKING:
    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

#: Middle (z, y, x) of balls of the same radius; the first two touch.
BALLS, RADIUS = ((8, 20, 20), (8, 20, 34), (8, 50, 60)), 8.5
SHAPE = (17, 70, 80)


def _volume() -> Segmentation:
    """A result of 3D objects: flows along z, y and x, all towards the middle of a ball."""
    places = np.indices(SHAPE).astype(np.float32)
    labels, flows = np.zeros(SHAPE, np.uint32), np.zeros((3, *SHAPE), np.float32)
    for number, middle in enumerate(BALLS, 1):
        way = np.array(middle, np.float32)[:, None, None, None] - places
        apart = np.linalg.norm(way, axis=0)
        is_ball = (apart <= RADIUS) & (labels == 0)
        labels[is_ball] = number
        flows[:, is_ball] = 5 * way[:, is_ball] / np.maximum(apart[is_ball], 1)
    probability = (labels > 0) * np.float32(0.9)
    record = {"request": {"cell_threshold": 0.5, "stacks": "volume"}, "model": {}}
    return Segmentation(labels, flows, probability, "zyx", provenance=record)


def _planes(labels: NDArray[np.uint32], number: int) -> set[int]:
    return set(np.nonzero(labels == number)[0].tolist())


def test_each_tool_takes_whole_3d_objects_or_the_plane_on_display(
    viewer: napari.Viewer, qtbot: QtBot
) -> None:
    found = _volume()
    cells = viewer.add_labels(found.labels.copy(), axis_labels=("z", "y", "x"))
    remember_segmentation(cells, found)
    dock = EditDock(viewer)
    viewer.window.add_dock_widget(dock, name="Edit objects")
    viewer.dims.set_current_step(0, 8)
    viewer.reset_view()
    hand, truth, panel = Hand(viewer, cells), found.labels, dock.panel
    assert panel.through_box.isVisibleTo(dock)

    def edit(tool: Tool, *points: tuple[int, int], plane: int = 8) -> NDArray[np.uint32]:
        panel.choose(tool)
        viewer.dims.set_current_step(0, plane)
        hand.draw(*((plane, *point) for point in points))
        qtbot.waitUntil(lambda: dock.editing.is_settled, timeout=LONG)
        assert panel.message.text().endswith("Ctrl+Z takes it back."), panel.message.text()
        edited: NDArray[np.uint32] = cells.data.copy()
        return edited

    removed = edit(Tool.REMOVE, (50, 60))
    np.testing.assert_array_equal(removed, np.where(truth == 3, 0, truth))
    assert "Removed object 3 in 17 planes" in panel.message.text()
    added = edit(Tool.ADD, (52, 58))
    assert _planes(added, 3) >= set(range(1, 16))
    assert ((added == 3) != (truth == 3)).sum() <= 0.05 * (truth == 3).sum()
    joined = edit(Tool.JOIN, (20, 18), (20, 38))
    assert not (joined == 2).any()
    split = edit(Tool.SPLIT, (6, 28), (34, 26))
    for number in (1, 2):
        middle = split[8, 20, BALLS[number - 1][2]]
        assert ((split == middle) & (truth == number)).sum() >= 0.95 * (truth == number).sum()

    panel.through_box.setChecked(False)
    flat = edit(Tool.REMOVE, (50, 60))
    assert _planes(flat, 3) == _planes(split, 3) - {8}
    assert "Removed object 3 in this plane" in panel.message.text()
    np.testing.assert_array_equal(edit(Tool.ADD, (50, 60)) == 3, split == 3)
    through = [each.gesture.through for each in recorded_edits(cells)]
    assert through == [True] * 4 + [False] * 2
    for _ in through:
        cells.undo()
    assert recorded_edits(cells) == ()
    np.testing.assert_array_equal(cells.data, truth)


def test_planes_are_asked_about_only_where_there_are_several(viewer: napari.Viewer) -> None:
    stack = viewer.add_labels(np.zeros((3, 20, 20), np.uint32), axis_labels=("z", "y", "x"))
    movie = viewer.add_labels(np.zeros((3, 20, 20), np.uint32), axis_labels=("t", "y", "x"))
    dock = EditDock(viewer)
    viewer.window.add_dock_widget(dock, name="Edit objects")
    assert not dock.panel.through_box.isVisibleTo(dock)
    viewer.layers.selection.active = stack
    assert dock.panel.through_box.isVisibleTo(dock)
    dock.toggle(Tool.REMOVE)
    asked = dock.panel.gesture()
    assert asked is not None
    assert asked.through
    viewer.layers.selection.active = movie
    assert not dock.panel.through_box.isVisibleTo(dock)
    assert dock.panel.gesture() == replace(asked, through=False)
