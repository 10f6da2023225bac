"""The critic beside a student, in a real viewer: labels, their error map, and what ends it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, SlowService, run, settle
from napari.utils import progress
from strange_pictures import draw_dark_rods
from threshold_student import write_threshold_student

import napari_ssp as ssp
from napari_ssp.registry import ModelCard, cache_folder
from napari_ssp.service import JobState, ReviewRequest
from napari_ssp.widgets.review.dock import ReviewDock
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_critic: Path) -> None:
    """A student of mitochondria, and a critic that knows its results."""
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "user"))
    write_threshold_student(cache_folder() / "models" / "mito", "mito")
    _install(tiny_critic, "mito-critic", ("mito",))


def _install(critic: Path, name: str, reviews: tuple[str, ...]) -> Path:
    folder = cache_folder() / "models" / name
    shutil.copytree(critic, folder)
    replace(ModelCard.read(folder), name=name, reviews=reviews).write(folder)
    return folder


@pytest.fixture
def em(viewer: napari.Viewer) -> NDArray[np.uint8]:
    """Two bright mitochondria in noise, as the layer 'em' of 4 nm pixels."""
    image = np.random.default_rng(0).integers(20, 60, (75, 94)).astype(np.uint8)
    image[10:20, 10:30], image[40:60, 50:70] = 200, 220
    viewer.add_image(image, name="em", scale=(0.004, 0.004), units=("um", "um"))
    return image


@pytest.fixture
def beside(
    viewer: napari.Viewer, em: NDArray[np.uint8], service: ModelService, qtbot: QtBot
) -> SegmentDock:
    return _open(viewer, service, qtbot)


class _SlowReviews(SlowService):
    """A service whose reviews wait at a gate; what else there is does not."""

    def submit(self, request: Any, plan: Any = None) -> Any:
        is_slow = isinstance(request, ReviewRequest)
        return super().submit(request, plan) if is_slow else self._service.submit(request, plan)


@pytest.fixture
def slow_reviews(service: ModelService) -> Iterator[SlowService]:
    slow = _SlowReviews(service)
    yield slow
    slow.gate.set()


def _open(viewer: napari.Viewer, service: Any, qtbot: QtBot) -> SegmentDock:
    dock = SegmentDock(viewer, service)
    viewer.window.add_dock_widget(dock, name="Segment")
    dock.choose_model("mito")
    settle(dock, qtbot)
    return dock


def _names(viewer: napari.Viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_a_students_critic_comes_by_itself(
    viewer: napari.Viewer, beside: SegmentDock, em: NDArray[np.uint8], qtbot: QtBot
) -> None:
    assert beside.form.value().error_map
    run(beside, qtbot)
    assert _names(viewer) == ["em", "em labels error map", "em labels"]
    errors, labels = viewer.layers[1], viewer.layers[2]
    direct = ssp.review(ssp.MicroscopyImage(em, "yx"), labels.data, "mito-critic", device="cpu")
    np.testing.assert_array_equal(errors.data, direct.error_map)
    np.testing.assert_allclose(errors.scale, labels.scale)
    assert errors.metadata["napari_ssp"]["model"]["name"] == "mito-critic"
    known = dict(zip(direct.table["label"], direct.table["predicted_error"], strict=True))
    features = labels.features
    assert dict(zip(features["index"], features["predicted_error"], strict=True)) == known
    assert viewer.layers.selection.active is labels
    said = beside.panel.message.text()
    assert said.startswith("Found 2 objects in")
    assert f"predicted error {direct.image_error:.2f} (0 is perfect" in said
    assert not beside.controller.is_running
    assert beside.panel.run_button.isEnabled()


def test_another_run_and_the_review_dock_bring_the_same_map_up_to_date(
    viewer: napari.Viewer, beside: SegmentDock, service: ModelService, qtbot: QtBot
) -> None:
    run(beside, qtbot)
    run(beside, qtbot)
    assert _names(viewer) == ["em", "em labels error map", "em labels"]
    errors = viewer.layers["em labels error map"]
    review = ReviewDock(viewer, service)
    viewer.window.add_dock_widget(review, name="Review")
    viewer.layers.selection.active = viewer.layers["em labels"]
    assert review.form.value().model is None
    assert "by mito-critic, which knows results of mito" in settle(review, qtbot)
    run(review, qtbot)
    assert viewer.layers["em labels error map"] is errors
    assert _names(viewer) == ["em", "em labels error map", "em labels"]


def test_who_wants_no_map_gets_none_and_no_stale_one(
    viewer: napari.Viewer, beside: SegmentDock, qtbot: QtBot
) -> None:
    run(beside, qtbot)
    beside.form.change(error_map=False)
    run(beside, qtbot)
    assert _names(viewer) == ["em", "em labels"]
    assert "The error map was of the labels before" in beside.panel.message.text()
    run(beside, qtbot)
    assert "error map" not in beside.panel.message.text()


def test_the_choice_is_remembered_for_each_model(
    beside: SegmentDock, qtbot: QtBot, tiny_critic: Path
) -> None:
    row = beside.form._editors["error_map"].widget
    assert "mito-critic" in row.toolTip()
    beside.form.change(error_map=False)
    for model, is_offered in (("generalist-starter", False), ("mediar-starter", True)):
        beside.choose_model(model)
        settle(beside, qtbot)
        assert beside.form._form.isRowVisible(row) is is_offered
        assert not beside.form.value().error_map
    beside.choose_model("mito")
    settle(beside, qtbot)
    assert not beside.form.value().error_map
    shutil.rmtree(cache_folder() / "models" / "mito-critic")
    beside.update_plan()
    assert not beside.form._form.isRowVisible(row)
    _install(tiny_critic, "later-critic", ("mito",))
    beside.update_plan()
    assert beside.form.value().error_map


def test_changed_thresholds_take_the_map_away(
    viewer: napari.Viewer,
    beside: SegmentDock,
    em: NDArray[np.uint8],
    qtbot: QtBot,
    tiny_critic: Path,
) -> None:
    _install(tiny_critic, "cells-critic", ("mediar-starter",))
    beside.choose_model("mediar-starter")
    settle(beside, qtbot)
    beside.form.change(error_map=True, fallback=False, cell_threshold=0.3, flow_threshold=0.0)
    outcome = run(beside, qtbot)
    assert outcome.state is JobState.DONE
    assert "em labels error map" in _names(viewer)
    labels = viewer.layers["em labels"]
    before = labels.data.copy()
    panel = beside.refining.panel
    with qtbot.waitSignal(beside.refining.settled, timeout=LONG):
        panel.set_value(replace(panel.value(), min_size=5000))
    assert (labels.data != before).any()
    assert "em labels error map" not in _names(viewer)
    assert "predicted_error" not in labels.features
    assert "The error map was of the labels before" in panel.message.text()


def test_a_model_that_took_over_has_no_map_of_the_others_critic(
    viewer: napari.Viewer, beside: SegmentDock, qtbot: QtBot
) -> None:
    viewer.add_image(draw_dark_rods(), name="rods")
    beside.choose_model("mediar-starter")
    settle(beside, qtbot)
    beside.form.change(error_map=True)
    run(beside, qtbot)
    assert "Another model was taken" in beside.panel.message.text()
    why = "No error map: no installed critic knows results of 'generalist-starter'."
    assert beside.panel.message.text().endswith(why)
    assert _names(viewer) == ["em", "rods", "rods labels"]


def test_a_failed_review_leaves_the_labels(
    viewer: napari.Viewer, beside: SegmentDock, qtbot: QtBot
) -> None:
    folder = cache_folder() / "models" / "mito-critic"
    replace(ModelCard.read(folder), sha256="0" * 64).write(folder)  # of other weights
    outcome = run(beside, qtbot)
    assert outcome.state is JobState.FAILED
    assert _names(viewer) == ["em", "em labels"]
    said = beside.panel.message.text()
    assert said.startswith("Found 2 objects in")
    assert "No error map: " in said
    assert "mito-critic" in said.partition("No error map: ")[2]


def test_a_cancelled_review_leaves_the_labels(
    viewer: napari.Viewer, em: NDArray[np.uint8], slow_reviews: SlowService, qtbot: QtBot
) -> None:
    dock = _begin_review(viewer, slow_reviews, qtbot)
    dock.panel.cancel_button.click()
    assert not dock.controller.is_running
    said = dock.panel.message.text()
    assert said.startswith("Found 2 objects in")
    assert said.endswith("No error map: it was cancelled.")
    assert _names(viewer) == ["em", "em labels"]


def test_napari_is_told_that_it_is_a_review(
    viewer: napari.Viewer, em: NDArray[np.uint8], slow_reviews: SlowService, qtbot: QtBot
) -> None:
    dock = _begin_review(viewer, slow_reviews, qtbot)
    assert viewer.window._task_status_manager.get_status() == ["napari-ssp: Review is running"]
    qtbot.waitUntil(lambda: bool(progress._all_instances), timeout=LONG)
    assert [bar.desc.rstrip(": ") for bar in progress._all_instances] == ["Review (napari-ssp)"]
    dock.cancel()
    dock.panel.run_button.click()
    assert viewer.window._task_status_manager.get_status() == [
        "napari-ssp: Segmentation is running"
    ]


def test_removing_the_labels_ends_their_review(
    viewer: napari.Viewer, em: NDArray[np.uint8], slow_reviews: SlowService, qtbot: QtBot
) -> None:
    dock = _begin_review(viewer, slow_reviews, qtbot)
    viewer.layers.remove("em labels")
    assert not dock.controller.is_running
    assert _names(viewer) == ["em"]


def test_closing_the_dock_during_a_review_is_safe(
    viewer: napari.Viewer, em: NDArray[np.uint8], slow_reviews: SlowService, qtbot: QtBot
) -> None:
    dock = _begin_review(viewer, slow_reviews, qtbot)
    viewer.window.remove_dock_widget(dock)
    slow_reviews.gate.set()
    states = [JobState.CANCELLED]
    qtbot.waitUntil(lambda: [job.state for job in slow_reviews.jobs] == states, timeout=LONG)
    assert _names(viewer) == ["em", "em labels"]


def _begin_review(viewer: napari.Viewer, slow: SlowService, qtbot: QtBot) -> SegmentDock:
    """Dock whose run is done, and whose review waits at the gate."""
    dock = _open(viewer, slow, qtbot)
    dock.panel.run_button.click()
    qtbot.waitUntil(lambda: dock.critic.is_at_work, timeout=LONG)
    assert _names(viewer) == ["em", "em labels"]
    assert dock.controller.is_running
    return dock
