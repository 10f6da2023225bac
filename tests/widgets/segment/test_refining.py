"""Sliders of the Segment dock change labels without the network, and never a person's work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run
from napari.layers import Labels

import napari_ssp as ssp
from napari_ssp.engine import store
from napari_ssp.service import JobState, ModelService, PlanRequest, RefineRequest, Thresholds
from napari_ssp.service.segmentation import refinement
from napari_ssp.widgets.segment.choices import SegmentChoices

if TYPE_CHECKING:
    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.segment.dock import SegmentDock


def _slide(dock: SegmentDock, qtbot: QtBot, *values: Thresholds) -> None:
    """Move the sliders, without a rest between the values, and wait for the last one."""
    with qtbot.waitSignal(dock.refining.settled, timeout=LONG):
        for value in values:
            dock.refining.panel.set_value(value)


def _assert_same_objects(labels: NDArray[Any], expected: NDArray[Any]) -> None:
    """Compare labels whose numbers may differ."""
    pairs = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    np.testing.assert_array_equal(labels > 0, expected > 0)


@pytest.fixture
def refined_dock(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> SegmentDock:
    """The dock after a run of the image 'n'."""
    viewer.add_image(nuclei, name="n", scale=(0.5, 0.5))
    assert dock.refining.panel.isHidden(), "there is nothing to refine yet"
    run(dock, qtbot)
    assert not dock.refining.panel.isHidden()
    return dock


def test_sliders_give_the_labels_of_a_fresh_run(
    viewer: napari.Viewer, refined_dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    labels = viewer.layers["n labels"]
    labels.opacity = 0.4
    panel = refined_dock.refining.panel
    assert panel.fold.text() == "Refine 'n labels'"
    assert panel.value() == Thresholds(0.5, 0.4, 16, 16)
    panel.boxes["cell_threshold"].slider.setValue(160)
    _slide(refined_dock, qtbot, Thresholds(0.8, 0.4, 60, 60))
    fresh = ssp.segment(nuclei, cell_threshold=0.8, min_size=60)
    _assert_same_objects(labels.data, fresh.labels)
    assert f"{fresh.num_objects} cells" in panel.message.text()
    assert len(viewer.layers) == 2
    assert labels.opacity == 0.4
    np.testing.assert_array_equal(labels.scale, (0.5, 0.5))
    record = labels.metadata["napari_ssp"]
    assert record["request"]["cell_threshold"] == 0.8
    assert record["refined"]["min_size"] == 60
    assert record["refined"]["run_with"]["cell_threshold"] == 0.5
    json.dumps(record)


def test_a_dock_from_the_menu_changes_its_layer_too(
    viewer: napari.Viewer, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    """napari hands plugins a proxy of the viewer, and proxies of layers vanish at once."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment")
    viewer.add_image(nuclei, name="n")
    run(dock, qtbot)
    _slide(dock, qtbot, Thresholds(0.9))
    run(dock, qtbot)
    assert [layer.name for layer in viewer.layers] == ["n", "n labels"]
    dock.refining.panel.commit_button.click()
    assert "Kept 'n labels'" in dock.refining.panel.message.text()


def test_no_network_runs(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[Any] = []
    submit = ModelService.submit

    def heard(service: ModelService, request: Any, plan: Any = None) -> Any:
        submitted.append(type(request))
        return submit(service, request, plan)

    monkeypatch.setattr(ModelService, "submit", heard)
    before = viewer.layers["n labels"].data.copy()
    _slide(refined_dock, qtbot, Thresholds(0.7))
    assert RefineRequest in submitted
    assert set(submitted) <= {RefineRequest, PlanRequest}  # a plan runs no network
    assert not np.array_equal(viewer.layers["n labels"].data, before)


def test_the_newest_value_wins_and_nothing_queues_up(
    viewer: napari.Viewer, refined_dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    answers: list[Any] = []
    refined_dock.refining._live.refined.connect(answers.append)
    dragged = [Thresholds(round(0.2 + 0.01 * k, 2)) for k in range(60)]
    _slide(refined_dock, qtbot, *dragged)
    assert 1 <= len(answers) <= 3, "values that came while one was worked on are left out"
    fresh = ssp.segment(nuclei, cell_threshold=dragged[-1].cell_threshold)
    _assert_same_objects(viewer.layers["n labels"].data, fresh.labels)


def test_cells_keep_their_colours_while_others_go(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    labels = viewer.layers["n labels"]
    before = labels.data.copy()
    smallest = int(np.argmin(np.bincount(before.ravel())[1:])) + 1
    size = int((before == smallest).sum())
    _slide(refined_dock, qtbot, Thresholds(min_size=size + 1, hole_size=16))
    assert smallest not in labels.data
    np.testing.assert_array_equal(labels.data[labels.data > 0], before[labels.data > 0])


def test_reset_goes_back_to_the_run(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    labels, panel = viewer.layers["n labels"], refined_dock.refining.panel
    before, record = labels.data.copy(), labels.metadata["napari_ssp"]
    assert not panel.reset_button.isEnabled()
    _slide(refined_dock, qtbot, Thresholds(0.9))
    assert (labels.data != before).any()
    with qtbot.waitSignal(refined_dock.refining.settled, timeout=LONG):
        panel.reset_button.click()
    np.testing.assert_array_equal(labels.data, before)
    assert labels.metadata["napari_ssp"] == record


def test_commit_keeps_the_labels_and_hands_the_thresholds_on(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    labels, panel = viewer.layers["n labels"], refined_dock.refining.panel
    _slide(refined_dock, qtbot, Thresholds(0.8, 0.3, 40, 9))
    panel.commit_button.click()
    kept = labels.data.copy()
    assert "Kept 'n labels': cell threshold 0.8, flow threshold 0.3" in panel.message.text()
    choices = refined_dock.form.value()
    assert (choices.cell_threshold, choices.flow_threshold, choices.min_size) == (0.8, 0.3, 40)
    _slide(refined_dock, qtbot, Thresholds(0.2))
    np.testing.assert_array_equal(labels.data, kept)
    assert labels.metadata["napari_ssp"]["refined"]["hole_size"] == 9
    assert [layer.name for layer in viewer.layers] == ["n", "n labels", "n labels [1]"]
    assert "new layer 'n labels [1]'" in panel.message.text()
    assert panel.fold.text() == "Refine 'n labels [1]'"
    run(refined_dock, qtbot)
    np.testing.assert_array_equal(labels.data, kept)


def test_labels_of_an_image_that_was_scaled_since_can_be_kept(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    image, labels = viewer.layers["n"], viewer.layers["n labels"]
    image.scale = labels.scale = (0.3, 0.3)
    kept = labels.data.copy()
    refined_dock.refining.panel.commit_button.click()
    assert "Kept 'n labels'" in refined_dock.refining.panel.message.text()
    refined_dock.form.change(cell_threshold=0.8, min_size=40)
    run(refined_dock, qtbot)
    assert viewer.layers[-1].name == "n labels [1]"
    np.testing.assert_array_equal(labels.data, kept)


def test_labels_that_a_script_replaced_are_left_alone(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    labels = viewer.layers["n labels"]
    labels.data = np.where(labels.data == 2, 0, labels.data)
    replaced = labels.data.copy()
    _slide(refined_dock, qtbot, Thresholds(0.8))
    np.testing.assert_array_equal(labels.data, replaced)
    assert viewer.layers[-1].name == "n labels [1]"
    _slide(refined_dock, qtbot, Thresholds(0.7))
    assert len(viewer.layers) == 3, "the new layer is the one that follows now"


def test_what_a_person_drew_is_left_alone(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    labels = viewer.layers["n labels"]
    labels.data_setitem((np.array([3]), np.array([4])), 999)
    drawn = labels.data.copy()
    _slide(refined_dock, qtbot, Thresholds(0.8))
    np.testing.assert_array_equal(labels.data, drawn)
    assert viewer.layers[-1].name == "n labels [1]"
    _slide(refined_dock, qtbot, Thresholds(0.7))
    assert len(viewer.layers) == 3, "the new layer is the one that follows now"


def test_measurements_of_other_pixels_are_taken_off(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    labels = viewer.layers["n labels"]
    labels.features = {"index": [1], "area_px2": [7.0]}
    _slide(refined_dock, qtbot, Thresholds(0.8))
    assert len(labels.features) == 0


def test_the_visible_part_of_a_large_plane_comes_first(
    viewer: napari.Viewer,
    refined_dock: SegmentDock,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = viewer.layers["n labels"]
    monkeypatch.setattr(refinement, "LIVE_PIXELS", 1000)
    refining = refined_dock.refining
    place = refinement.Display(0, (0, 80, 0, 100))
    monkeypatch.setattr(refining, "_display", lambda source: place)
    seen: list[NDArray[Any]] = []
    refining._live.patched.connect(lambda patch: seen.append(labels.data.copy()))
    before = labels.data.copy()
    _slide(refined_dock, qtbot, Thresholds(0.9))
    (early,) = seen
    np.testing.assert_array_equal(early[80:], before[80:])
    np.testing.assert_array_equal(early[:80, :100] > 0, labels.data[:80, :100] > 0)
    assert (early[:80, :100] != before[:80, :100]).any()
    assert (labels.data[80:] != before[80:]).any()


def test_results_in_a_file_are_refined_too(
    viewer: napari.Viewer,
    dock: SegmentDock,
    nuclei: NDArray[Any],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "MEMORY_LIMIT", 1000)
    monkeypatch.setattr(refinement, "LIVE_PIXELS", 1000)
    viewer.add_image(nuclei, name="n")
    run(dock, qtbot)
    labels = viewer.layers["n labels"]
    assert isinstance(labels.data, np.memmap)
    place = refinement.Display(0, (0, 80, 0, 100))
    monkeypatch.setattr(dock.refining, "_display", lambda source: place)
    for threshold in (0.9, 0.6):
        _slide(dock, qtbot, Thresholds(threshold))
        fresh = ssp.segment(nuclei, cell_threshold=threshold)
        _assert_same_objects(labels.data, fresh.labels)


def test_a_stack_is_refined(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    stack = np.stack([nuclei, nuclei[::-1]])
    viewer.add_image(stack, name="s")
    dock.form.set_value(SegmentChoices(all_planes=True))
    run(dock, qtbot)
    viewer.dims.set_current_step(0, 1)
    _slide(dock, qtbot, Thresholds(0.8))
    fresh = ssp.segment(stack, axes="zyx", cell_threshold=0.8)
    _assert_same_objects(viewer.layers["s labels"].data, fresh.labels)


def test_without_the_image_there_is_nothing_to_refine(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    refined_dock.refining.panel.set_value(Thresholds(0.9))
    viewer.layers.remove("n")
    assert refined_dock.refining.panel.isHidden()
    qtbot.wait(300)
    assert [layer.name for layer in viewer.layers] == ["n labels"]
    assert isinstance(viewer.layers[0], Labels)


def test_a_failed_run_leaves_the_last_result_refinable(
    viewer: napari.Viewer, refined_dock: SegmentDock, qtbot: QtBot
) -> None:
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    refined_dock.form.set_value(SegmentChoices(device=absent))
    assert run(refined_dock, qtbot).state is JobState.FAILED
    _slide(refined_dock, qtbot, Thresholds(0.8))
    assert viewer.layers["n labels"].metadata["napari_ssp"]["refined"]["cell_threshold"] == 0.8
