"""Objects edited with the mouse on the canvas of a real viewer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, Hand

from napari_ssp.flows import flows_to_labels, labels_to_flows
from napari_ssp.flows.editing import stacks
from napari_ssp.flows.editing.apply import make_edit
from napari_ssp.flows.editing.edit import Gesture
from napari_ssp.io import read_image, write_image, write_labels
from napari_ssp.io.napari_writer import write_labels_layer
from napari_ssp.progress import run
from napari_ssp.service import EditRequest, RecordedEdit, Segmentation, Thresholds, Tool
from napari_ssp.service.annotation.training_set import TrainingSet
from napari_ssp.service.network_outputs import outputs_image
from napari_ssp.service.segmentation import refinement
from napari_ssp.service.segmentation.editing import edit_again, edit_steps
from napari_ssp.widgets.edit import editing
from napari_ssp.widgets.edit.dock import EditDock
from napari_ssp.widgets.layers.edit_log import edit_log, recorded_edits
from napari_ssp.widgets.layers.shown_segmentations import remember_segmentation
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.results import prepare
from napari_ssp.widgets.train.dock import TrainDock

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.segment.dock import SegmentDock

SHAPE = (120, 160)
PLACE: dict[str, Any] = {"scale": (0.5, 0.5), "translate": (3.0, 4.0), "units": ("um", "um")}
#: The last one has a low probability: no run with the usual threshold finds it.
DISCS = ((30, 30, 15), (30, 58, 14), (80, 40, 15), (80, 120, 16))
FAINT = DISCS[-1]


def _truth() -> NDArray[np.uint32]:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    labels = np.zeros(SHAPE, np.uint32)
    for number, (row, column, radius) in enumerate(DISCS, 1):
        labels[((y - row) ** 2 + (x - column) ** 2 <= radius**2) & (labels == 0)] = number
    return labels


TRUTH = _truth()


def _found() -> Segmentation:
    probability = np.where(TRUTH == 4, 0.3, (TRUTH > 0) * 0.9).astype(np.float32)
    flows = 5 * labels_to_flows(TRUTH)
    labels = flows_to_labels(flows, probability)
    record = {"request": {"cell_threshold": 0.5, "image": {"name": "n"}}, "model": {}}
    return Segmentation(labels, flows, probability, provenance=record)


@pytest.fixture
def edit_dock(viewer: napari.Viewer) -> EditDock:
    dock = EditDock(viewer)
    viewer.window.add_dock_widget(dock, name="Edit objects")
    return dock


@pytest.fixture
def cells(viewer: napari.Viewer, dock: SegmentDock) -> Labels:
    """Labels of a run, in which the faint cell is missed."""
    image = viewer.add_image(np.zeros(SHAPE, np.float32), name="n", **PLACE)
    prepared = prepare(_found(), SegmentChoices())
    dock.layers.results.show(prepared, image)
    dock.refining.set_result(prepared, image)
    viewer.reset_view()
    labels: Labels = viewer.layers["n labels"]
    viewer.layers.selection.active = labels
    return labels


def _edits(layer: Labels) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = layer.metadata["napari_ssp"].get("edits", [])
    return rows


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_each_tool_edits_by_the_mouse_and_is_one_step_of_undo(
    viewer: napari.Viewer, edit_dock: EditDock, cells: Labels, qtbot: QtBot
) -> None:
    hand, press = Hand(viewer, cells), viewer.window._qt_viewer._key_map_handler.press_key
    center = viewer.scene.camera.center
    assert set(np.unique(cells.data)) == {0, 1, 2, 3}
    gestures = {
        "A": (Tool.ADD, [(82, 118)]),
        "C": (Tool.JOIN, [(30, 25), (33, 40), (30, 62)]),
        "S": (Tool.SPLIT, [(10, 46), (52, 42)]),
        "G": (Tool.GROW, [(80, 40)]),
        "H": (Tool.SHRINK, [(80, 40)]),
        "D": (Tool.REMOVE, [(80, 40), (80, 60), (80, 120)]),
    }
    states = [cells.data.copy()]
    for key, (tool, points) in gestures.items():
        press(key)
        assert edit_dock.panel.tool() is tool
        hand.draw(*points)
        qtbot.waitUntil(lambda: edit_dock.editing.is_settled, timeout=LONG)
        assert "Ctrl+Z takes it back" in edit_dock.panel.message.text()
        states.append(cells.data.copy())
    added, joined, split, grown, shrunk, removed = states[1:]
    assert _iou(added == 4, TRUTH == 4) >= 0.95
    assert len(np.unique(joined)) == len(np.unique(added)) - 1
    assert joined[30, 30] == joined[30, 58]
    assert _iou(split == split[30, 20], TRUTH == 1) >= 0.9
    assert _iou(split == split[30, 65], TRUTH == 2) >= 0.9
    assert (grown == 3).sum() > (split == 3).sum() > 0
    np.testing.assert_array_equal(shrunk, split)
    assert set(np.unique(removed)) == {0, split[30, 20], split[30, 65]}

    assert [row["edit"] for row in _edits(cells)] == [tool.value for tool, _ in gestures.values()]
    assert viewer.scene.camera.center == center, "drawing does not move the view"
    assert [layer.name for layer in viewer.layers] == ["n", "n labels"]
    for done, state in reversed(list(enumerate(states[:-1]))):
        press("Control-Z")
        np.testing.assert_array_equal(cells.data, state)
        assert len(_edits(cells)) == done
    cells.redo()
    np.testing.assert_array_equal(cells.data, states[1])
    assert [(row["edit"], row["points"]) for row in _edits(cells)] == [("add", [[82, 118]])]


def test_labels_that_nobody_sees_are_not_edited(
    viewer: napari.Viewer, edit_dock: EditDock, cells: Labels, qtbot: QtBot
) -> None:
    before = cells.data.copy()
    edit_dock.panel.choose(Tool.REMOVE)
    cells.visible = False
    cells.scale = (0.4, 0.4)  # napari forgets what it has drawn
    hand = Hand(viewer, cells)
    hand.draw((80, 40))
    qtbot.waitUntil(lambda: edit_dock.editing.is_settled, timeout=LONG)
    assert "'n labels' is hidden. Show the layer" in edit_dock.panel.message.text()
    np.testing.assert_array_equal(cells.data, before)
    cells.visible = True
    viewer.reset_view()
    hand.draw((80, 40))
    qtbot.waitUntil(lambda: edit_dock.editing.is_settled, timeout=LONG)
    assert set(np.unique(cells.data)) == {0, 1, 2}


def test_edits_of_hidden_labels_are_made_again(
    viewer: napari.Viewer, dock: SegmentDock, edit_dock: EditDock, cells: Labels, qtbot: QtBot
) -> None:
    edit_dock.panel.choose(Tool.REMOVE)
    Hand(viewer, cells).draw((80, 40))
    qtbot.waitUntil(lambda: edit_dock.editing.is_settled, timeout=LONG)
    cells.visible = False
    cells.scale = (0.4, 0.4)  # napari forgets what it has drawn
    with qtbot.waitSignal(dock.refining.settled, timeout=LONG):
        dock.refining.panel.set_value(Thresholds(0.2))
    assert not cells.visible
    assert [row["edit"] for row in _edits(cells)] == ["remove"]
    assert cells.data[80, 40] == 0
    assert cells.data[80, 120] > 0, "the faint cell"


def test_what_is_shown_follows_tools_and_layers(
    viewer: napari.Viewer, edit_dock: EditDock, cells: Labels
) -> None:
    panel, hand = edit_dock.panel, Hand(viewer, cells)
    assert panel.buttons[Tool.ADD].text() == "Add (A)"
    cells.mode = "paint"
    panel.buttons[Tool.ADD].click()
    assert cells.mode == "pan_zoom"
    assert panel.hint.text() == "Click on a missed object."
    hand.draw((82, 118), (60, 90))
    assert len(np.unique(cells.data)) == 4, "a drag moves the view and adds nothing"
    hand.draw((30, 30))
    assert f"object {cells.data[30, 30]} already" in panel.message.text()
    viewer.layers.selection.active = viewer.layers["n"]
    hand.draw((82, 118))
    assert panel.message.text() == "Select one labels layer to edit."
    viewer.layers.selection.active = cells
    viewer.dims.ndisplay = 3
    hand.draw((82, 118))
    assert panel.message.text() == "Editing needs the 2D display; the viewer shows 3D."
    viewer.dims.ndisplay = 2
    cells.mode = "erase"
    assert panel.tool() is None, "napari's own tools take over"
    before = len(viewer.mouse_drag_callbacks)
    viewer.window.remove_dock_widget(edit_dock)
    assert len(viewer.mouse_drag_callbacks) == before - 1


def test_labels_without_flows_take_those_of_the_same_pixels(
    viewer: napari.Viewer, edit_dock: EditDock, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    drawn = viewer.add_labels(np.where(TRUTH == 4, 0, TRUTH), name="drawn", **PLACE)
    viewer.reset_view()
    edit_dock.toggle(Tool.ADD)
    hand = Hand(viewer, drawn)
    hand.draw((82, 118))
    assert "have no flows" in edit_dock.panel.message.text()
    found = _found()
    shown = viewer.add_labels(found.labels, name="found", **PLACE)
    remember_segmentation(shown, found)
    viewer.layers.selection.active = drawn
    hand.draw((82, 118))
    np.testing.assert_array_equal(drawn.data > 0, TRUTH > 0)
    assert drawn.metadata == {}, "labels of a person have no provenance"

    drawn.undo()
    monkeypatch.setattr(editing, "_AT_ONCE", 0.0)
    hand.draw((82, 118))
    drawn.data_setitem((np.array([80]), np.array([120])), 9)  # a stroke before the edit is ready
    qtbot.waitUntil(lambda: edit_dock.editing.is_settled, timeout=LONG)
    assert drawn.data[80, 120] == 9
    np.testing.assert_array_equal(drawn.data > 0, TRUTH > 0)


@pytest.mark.parametrize("stroke", [(80, 120), (5, 5)], ids=["in the object", "elsewhere"])
def test_a_stroke_while_an_edit_is_worked_out_is_kept(
    stroke: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.where(TRUTH == 4, 0, TRUTH).astype(np.uint32)

    def draw_then_edit(*edited: Any) -> Any:
        labels[stroke] = 4
        return make_edit(*edited)

    monkeypatch.setattr(stacks, "make_edit", draw_then_edit)
    request = EditRequest(RecordedEdit(Gesture(Tool.ADD, ((82, 118),))), labels, "yx", _found())
    assert not run(edit_steps(request)).fits(labels[None])


def test_flows_that_lie_beside_the_labels_are_found(
    viewer: napari.Viewer, edit_dock: EditDock, tmp_path: Path
) -> None:
    found, path = _found(), tmp_path / "cells_label.tiff"
    write_labels(path, found.labels)
    write_image(tmp_path / "cells_flows.tiff", outputs_image(found, "flows"))
    (cells,) = viewer.open(path, plugin="napari-ssp")
    viewer.reset_view()
    edit_dock.toggle(Tool.ADD)
    Hand(viewer, cells).draw((82, 118))
    np.testing.assert_array_equal(cells.data > 0, TRUTH > 0)


def test_a_stack_is_edited_in_the_plane_on_display(
    viewer: napari.Viewer, edit_dock: EditDock
) -> None:
    stack = np.stack([np.where(TRUTH == n, 0, TRUTH) for n in (1, 2, 3)])
    cells = viewer.add_labels(stack.copy(), name="stack", axis_labels=("t", "y", "x"))
    viewer.dims.set_current_step(0, 2)
    viewer.reset_view()
    edit_dock.toggle(Tool.SPLIT)
    Hand(viewer, cells).draw((2, 80, 100), (2, 80, 140))
    assert "Split, into objects 4, 5" in edit_dock.panel.message.text()
    changed = np.argwhere(cells.data != stack)
    assert set(changed[:, 0]) == {2}
    assert set(np.unique(cells.data[changed[:, 0], changed[:, 1], changed[:, 2]])) == {5}

    viewer.dims.set_current_step(0, 0)
    fresh, nothing = stack.copy(), np.zeros((3, *stack.shape), np.float32)
    made = edit_again(
        fresh, Segmentation(fresh, nothing[:2], nothing[2], "tyx"), recorded_edits(cells)
    )
    np.testing.assert_array_equal(fresh, cells.data)
    edit_log(cells).replay(made)
    np.testing.assert_array_equal(cells.data, fresh)
    cells.undo()
    np.testing.assert_array_equal(cells.data, stack)
    assert recorded_edits(cells) == ()
    cells.redo()
    cells.data = stack.copy()
    assert recorded_edits(cells) == (), "other labels hold none of the edits"


@pytest.mark.parametrize("is_large", [False, True])
def test_edits_stay_when_a_slider_moves(
    is_large: bool,
    monkeypatch: pytest.MonkeyPatch,
    viewer: napari.Viewer,
    edit_dock: EditDock,
    dock: SegmentDock,
    cells: Labels,
    qtbot: QtBot,
) -> None:
    early: list[int] = []
    if is_large:  # what is visible comes first, without the edits
        visible = refinement.Display(0, (60, 120, 90, 150))
        monkeypatch.setattr(refinement, "LIVE_PIXELS", 1)
        monkeypatch.setattr(dock.refining, "_display", lambda source: visible)
        dock.refining._live.patched.connect(lambda patch: early.append(cells.data[82, 118]))
    hand, panel = Hand(viewer, cells), dock.refining.panel
    for tool, point in ((Tool.REMOVE, (30, 30)), (Tool.ADD, (82, 118)), (Tool.GROW, (82, 118))):
        edit_dock.toggle(tool)
        hand.draw(point)
    edited = cells.data.copy()

    def slide(value: Thresholds) -> None:
        with qtbot.waitSignal(dock.refining.settled, timeout=LONG):
            panel.set_value(value)

    slide(Thresholds(0.7))
    assert early == [0] * is_large
    assert viewer.layers["n labels"] is cells
    np.testing.assert_array_equal(cells.data > 0, edited > 0)
    assert panel.message.text() == "3 cells. Your 3 edits are kept."
    assert cells.metadata["napari_ssp"]["request"]["cell_threshold"] == 0.7
    assert [row["applied"] for row in _edits(cells)] == [True] * 3

    slide(Thresholds(0.95))  # above all probabilities of the network's cells
    assert panel.message.text() == (
        "1 cell. Without effect in these labels, of 3 edits: remove at y 30, x 30."
    )
    assert [row["applied"] for row in _edits(cells)] == [False, True, True]
    slide(Thresholds(0.7))
    np.testing.assert_array_equal(cells.data > 0, edited > 0)

    cells.undo()
    assert [row["edit"] for row in _edits(cells)] == ["remove", "add"]
    cells.undo()
    assert cells.data[82, 118] == cells.data[30, 30] == 0
    cells.undo()
    assert _edits(cells) == []
    slide(Thresholds(0.6))
    np.testing.assert_array_equal(cells.data > 0, (TRUTH > 0) & (TRUTH < 4))


def test_edits_go_to_the_training_set_and_into_other_layers(
    viewer: napari.Viewer,
    edit_dock: EditDock,
    dock: SegmentDock,
    cells: Labels,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    train = TrainDock(viewer)
    viewer.window.add_dock_widget(train, name="Train models")
    train.collecting.panel.set_folder(tmp_path / "set")
    train.collecting.add()
    edit_dock.toggle(Tool.ADD)
    Hand(viewer, cells).draw((82, 118))
    qtbot.waitUntil(lambda: train.collecting.autosave.is_settled, timeout=LONG)
    (pair,) = TrainingSet(tmp_path / "set").pairs()
    np.testing.assert_array_equal(read_image(pair.target).plane(), cells.data)

    before = cells.data.copy()
    with qtbot.waitSignal(dock.refining.settled, timeout=LONG):
        dock.refining.panel.set_value(Thresholds(0.6))
    other = viewer.layers[-1]
    assert other is not cells, "labels that somebody found to be right are left alone"
    np.testing.assert_array_equal(cells.data, before)
    np.testing.assert_array_equal(other.data > 0, TRUTH > 0)
    assert [row["edit"] for row in _edits(other)] == ["add"]


def test_another_run_leaves_edited_labels_alone(
    viewer: napari.Viewer, edit_dock: EditDock, dock: SegmentDock, cells: Labels, tmp_path: Path
) -> None:
    edit_dock.toggle(Tool.ADD)
    Hand(viewer, cells).draw((82, 118))
    before = cells.data.copy()
    dock.layers.results.show(prepare(_found(), SegmentChoices()), viewer.layers["n"])
    assert [layer.name for layer in viewer.layers] == ["n", "n labels", "n labels [1]"]
    np.testing.assert_array_equal(cells.data, before)
    assert len(recorded_edits(cells)) == 1
    assert recorded_edits(None) == (), "a layer that is no more"

    (saved, beside) = cells.save(str(tmp_path / "cells.tif"), plugin="napari-ssp")
    np.testing.assert_array_equal(read_image(saved).plane(), before)
    assert json.loads(Path(beside).read_text()) == cells.metadata["napari_ssp"]
    assert Path(beside).name == "cells.tif.provenance.json"
    write_labels_layer(saved, before, {})
    assert not Path(beside).exists(), "nobody knows how these were made"
