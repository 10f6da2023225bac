"""The Train dock, driven as a person does, in a real viewer with real training of a tiny model."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from dock_driver import LONG, settle
from scipy import ndimage

from napari_ssp.io import read_image
from napari_ssp.registry import cache_folder, find_card, list_cards
from napari_ssp.service import JobState, ModelService, SegmentRequest
from napari_ssp.service.model_service import Lane
from napari_ssp.service.training.runs import last_interrupted, runs_folder
from napari_ssp.widgets.train.choices import EPOCHS, MINUTES, STRUCTURES
from napari_ssp.widgets.train.dock import TrainDock
from napari_ssp.widgets.train.phases import Learning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import TrainedModel, TrainingState
    from napari_ssp.widgets.docks.relay import Outcome


NO_BREAK = "\N{NO-BREAK SPACE}"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models and runs of a test are its own."""
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def base(tiny_model: Path, _own_folder: None) -> str:
    shutil.copytree(tiny_model, cache_folder() / "models" / "tiny")
    return "tiny"


@pytest.fixture
def training() -> Iterator[ModelService]:
    with ModelService() as service:
        yield service


@pytest.fixture
def train_dock(viewer: napari.Viewer, training: ModelService, base: str) -> TrainDock:
    return _open(viewer, training)


@pytest.fixture
def cells(viewer: napari.Viewer, nuclei: NDArray[np.uint8]) -> Labels:
    viewer.add_image(nuclei, name="nuclei")
    labels = ndimage.label(ndimage.gaussian_filter(nuclei, 2) > 60)[0]
    return viewer.add_labels(labels.astype(np.uint32), name="nuclei cells")


def _open(viewer: napari.Viewer, service: ModelService) -> TrainDock:
    dock = TrainDock(viewer, service)
    viewer.window.add_dock_widget(dock, name="Train models")
    return dock


def _choose(dock: TrainDock, **choices: Any) -> None:
    small = {"base": "tiny", "batch_size": 2, "crop": 32, "device": "cpu"}
    dock.form.set_value(replace(dock.form.value(), **{**small, **choices}))


def _ready(dock: TrainDock, qtbot: QtBot) -> str:
    settle(dock, qtbot)
    qtbot.waitUntil(dock.panel.run_button.isEnabled, timeout=LONG)
    return settle(dock, qtbot)


def _click(dock: TrainDock, qtbot: QtBot, button: Any) -> TrainedModel:
    """Click a button that ends with a model."""
    with qtbot.waitSignal(dock.done, timeout=LONG) as done:
        button.click()
    outcome: Outcome = done.args[0]
    assert outcome.state is JobState.DONE, outcome.error
    model: TrainedModel = outcome.value
    return model


def _step(dock: TrainDock) -> int:
    state = _state(dock)
    return state.step if state else 0


def _state(dock: TrainDock) -> TrainingState | None:
    return dock.phase.state if isinstance(dock.phase, Learning) else None


def _wait_for_step(dock: TrainDock, step: int, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: _step(dock) >= step, timeout=LONG)


def _probability(service: ModelService, image: NDArray[Any], model: str) -> NDArray[np.float32]:
    return service.submit(SegmentRequest(image, model, device="cpu")).result().cell_probability


def test_layers_in_model_out_and_in_the_segment_dock(
    viewer: napari.Viewer,
    train_dock: TrainDock,
    cells: Labels,
    service: ModelService,
    nuclei: NDArray[np.uint8],
    qtbot: QtBot,
) -> None:
    assert "'Add pair'" in settle(train_dock, qtbot)
    assert not train_dock.panel.run_button.isEnabled()
    train_dock.data.add_button.click()
    _choose(train_dock, name="mine", duration=(6.0, EPOCHS))
    assert _ready(train_dock, qtbot) == (
        "1 pair of layers, from 'tiny', at most 6 epochs, a part is set aside for validation"
    )
    model = _click(train_dock, qtbot, train_dock.panel.run_button)
    assert not model.is_better, "a dozen objects are too few to judge what six steps teach"
    assert not model.installed
    assert train_dock.panel.message.text() == model.sentence
    assert f"{model.metrics['f1_0.50']:.3f}" in model.sentence
    assert f"{model.base_metrics['f1_0.50']:.3f} before" in model.sentence
    view = train_dock.view
    assert "on cpu" in view.facts.text()
    assert view.score_plot.curve.base == model.base_metrics["f1_0.50"]
    assert len(view.score_plot.curve.points) >= 1
    assert len(view.loss_plot.curve.points) >= 2
    assert view.picture.pixels is not None
    assert not train_dock.panel.use_button.isVisibleTo(train_dock.panel)
    assert last_interrupted() is None
    assert not train_dock.panel.resume_button.isVisibleTo(train_dock.panel)
    (pair,) = (model.folder / "layers" / "labels").iterdir()
    np.testing.assert_array_equal(read_image(pair).plane(), cells.data)

    model = _click(train_dock, qtbot, train_dock.panel.install_button)
    assert model.installed
    assert "mine" in [card.name for card in list_cards()]
    train_dock.panel.use_button.click()
    segment = viewer.window.dock_widgets["Segment (napari-ssp)"]
    assert segment.form.value().model == "mine"
    before, after = (_probability(service, nuclei, name) for name in ("tiny", "mine"))
    assert np.abs(before - after).max() > 1e-3


def test_the_plan_says_what_a_time_is_worth_on_this_computer(
    train_dock: TrainDock, cells: Labels, qtbot: QtBot
) -> None:
    train_dock.data.add_pair()
    _choose(train_dock, duration=(60.0, MINUTES))
    assert train_dock.panel.run_button.isEnabled() or _ready(train_dock, qtbot)
    plan = train_dock.panel.plan
    qtbot.waitUntil(lambda: "steps a minute" in plan.text().replace(NO_BREAK, " "), timeout=LONG)
    assert re.search(
        r"about [\d.]+ steps a minute on this computer \(cpu in (float32|bfloat16)\)",
        plan.text().replace(NO_BREAK, " "),
    )
    _choose(train_dock, duration=(60.0, MINUTES), compute="processes")
    assert train_dock.update_plan() is not None
    assert "steps a minute" not in plan.text().replace(NO_BREAK, " ")


def test_stop_keeps_the_best_and_resume_goes_on(
    train_dock: TrainDock, cells: Labels, qtbot: QtBot
) -> None:
    train_dock.data.add_pair()
    _choose(train_dock, base=None, name="scratch", duration=(400.0, EPOCHS))
    _ready(train_dock, qtbot)
    train_dock.panel.run_button.click()
    qtbot.waitUntil(lambda: bool(getattr(_state(train_dock), "best", None)), timeout=LONG)
    stopped_at = _step(train_dock)
    best = _state(train_dock).best  # type: ignore[union-attr]
    model = _click(train_dock, qtbot, train_dock.panel.cancel_button)
    assert model.metrics["f1_0.50"] >= best["f1_0.50"]
    assert model.installed, "there is no base that it must beat"
    assert find_card("scratch").weights.is_file()
    assert train_dock.panel.resume_button.isVisibleTo(train_dock.panel)
    assert "scratch" in train_dock.panel.resume_button.toolTip()

    train_dock.panel.resume_button.click()
    _wait_for_step(train_dock, stopped_at + 1, qtbot)
    assert train_dock.view.loss_plot.curve.points[0][0] <= best["minutes"]
    again = _click(train_dock, qtbot, train_dock.panel.cancel_button)
    assert again.metrics["f1_0.50"] >= model.metrics["f1_0.50"]
    assert len(list(runs_folder().iterdir())) == 1


@pytest.mark.parametrize("what", ["dock", "viewer"])
def test_closing_in_mid_training_leaves_a_run_that_goes_on(
    make_napari_viewer: Callable[..., napari.Viewer],
    training: ModelService,
    base: str,
    nuclei: NDArray[np.uint8],
    qtbot: QtBot,
    what: str,
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(nuclei, name="n")
    viewer.add_labels((nuclei > 60).astype(np.uint8), name="n cells")
    dock = TrainDock(viewer, training)
    frame = viewer.window.add_dock_widget(dock)
    dock.data.add_all()
    _choose(dock, name="mine", duration=(1000.0, EPOCHS), learning_rate=1e-4)
    _ready(dock, qtbot)
    dock.panel.run_button.click()
    _wait_for_step(dock, 2, qtbot)
    job = training._lanes[Lane.COMPUTATION]._known[0]
    del dock
    if what == "dock":
        frame.destroyOnClose()
    else:
        viewer.close()
    qtbot.waitUntil(lambda: job.state is JobState.CANCELLED, timeout=LONG)
    request = last_interrupted()
    assert request is not None
    checkpoint = request.output / "checkpoint.pt"
    qtbot.waitUntil(checkpoint.is_file, timeout=LONG)
    assert request.name == "mine"
    if what == "dock":
        again = _open(viewer, training)
        again.panel.resume_button.click()
        _wait_for_step(again, 3, qtbot)
        again.panel.cancel_button.click()


def test_stop_before_the_first_step_makes_no_model(
    train_dock: TrainDock, cells: Labels, qtbot: QtBot
) -> None:
    train_dock.data.add_pair()
    _choose(train_dock)
    _ready(train_dock, qtbot)
    train_dock.panel.run_button.click()
    train_dock.panel.cancel_button.click()
    assert train_dock.panel.message.text() == "Stopped. No model was made."
    qtbot.wait(300)
    assert train_dock.panel.message.text() == "Stopped. No model was made."
    assert train_dock.panel.run_button.isEnabled()


def test_a_new_structure_for_an_old_model(
    viewer: napari.Viewer,
    train_dock: TrainDock,
    tiny_structures: Path,
    stack: NDArray[np.uint8],
    qtbot: QtBot,
) -> None:
    shutil.copytree(tiny_structures, cache_folder() / "models" / "tiny-structures")
    train_dock.refresh_models()
    place: dict[str, Any] = {"scale": (0.5, 0.3, 0.3), "units": ("um",) * 3}
    viewer.add_image(np.stack([stack, 255 - stack]), name="light", axis_labels=tuple("czyx"))
    viewer.add_image(255 - stack, name="light only", **place)
    viewer.add_image(stack, name="measured", **place)
    data = train_dock.data
    _choose(
        train_dock, learn=STRUCTURES, base="tiny-structures", name="more", duration=(0.02, MINUTES)
    )
    assert "measured fluorescence" in settle(train_dock, qtbot)
    data.image_box.set_value(viewer.layers["light only"])
    data.target_box.set_value(viewer.layers["measured"])
    data.add_button.click()
    assert "Give the structure a name" in data.note.text()
    data.structure_edit.setText("mitochondria")
    data.add_button.click()
    data.image_box.set_value(viewer.layers["light"])
    data.channel_box.set_value(1)
    data.target_channel_box.set_value(None)
    assert "1 pair of layers, from 'tiny-structures'" in _ready(train_dock, qtbot)
    assert "resampled to the base model's voxels" in train_dock.panel.warnings.text()
    model = _click(train_dock, qtbot, train_dock.panel.run_button)
    assert train_dock.panel.message.text() == model.sentence
    signal = read_image(model.folder / "layers" / "mitochondria" / "signal" / "light_only.tif")
    assert signal.voxel_size == pytest.approx((0.29, 0.29, 0.29)), "that of the base model"
    assert signal.sizes["z"] == round(len(stack) * 0.5 / 0.29)
    model = _click(train_dock, qtbot, train_dock.panel.install_button)
    old, new = find_card("tiny-structures"), find_card("more")
    assert new.tasks == (*old.tasks, "mitochondria")


def test_a_training_that_cannot_begin_is_not_offered_again(
    viewer: napari.Viewer, train_dock: TrainDock, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei, name="n")
    viewer.add_labels((nuclei > 60).astype(np.uint8), name="n cells")
    train_dock.data.add_all()
    _choose(train_dock, device="mps")
    _ready(train_dock, qtbot)
    with qtbot.waitSignal(train_dock.done, timeout=LONG) as done:
        train_dock.panel.run_button.click()
    assert done.args[0].state is JobState.FAILED
    assert "'mps' is not available" in train_dock.panel.message.text()
    assert not train_dock.panel.resume_button.isVisibleTo(train_dock.panel)
    assert last_interrupted() is None


def test_folders_are_looked_through_beside_the_viewer(
    train_dock: TrainDock, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "images").mkdir()
    train_dock.data.add_path(tmp_path)
    assert train_dock.update_plan() is None
    assert train_dock.panel.plan.text() == "Looking through the folders …"
    qtbot.waitUntil(lambda: "'labels'" in settle(train_dock, qtbot), timeout=LONG)
    assert not train_dock.panel.run_button.isEnabled()


def test_a_table_of_cells_is_planned(train_dock: TrainDock, tmp_path: Path, qtbot: QtBot) -> None:
    rows = ["image,label,split"]
    for k, split in enumerate(("train", "val")):
        for part in ("i", "l"):
            tifffile.imwrite(tmp_path / f"{part}{k}.tif", np.eye(40, dtype=np.uint8))
        rows.append(f"i{k}.tif,l{k}.tif,{split}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    _choose(train_dock)
    train_dock.data.add_path(tmp_path / "pairs.csv")
    assert not train_dock.data.table_button.isHidden()
    assert "1 image to learn from 'tiny' (all), 1 for validation" in _ready(train_dock, qtbot)


def test_folders_of_structures_are_planned(
    train_dock: TrainDock, tmp_path: Path, tiny_structures: Path, qtbot: QtBot
) -> None:
    shutil.copytree(tiny_structures, cache_folder() / "models" / "tiny-structures")
    train_dock.refresh_models()
    for part in ("signal", "target"):
        (tmp_path / "actin" / part).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 99, (4, 200, 24)).astype(np.uint8)
        tifffile.imwrite(tmp_path / "actin" / part / "a.tif", pixels, photometric="minisblack")
    (tmp_path / "actin" / "signal" / "notes.txt").touch()
    _choose(train_dock, learn=STRUCTURES, base="tiny-structures", duration=(1.0, MINUTES))
    settle(train_dock, qtbot)
    train_dock.data.add_path(tmp_path / "actin")
    found = _ready(train_dock, qtbot)
    assert "1 stack of actin to learn as one more structure of 'tiny-structures'" in found
    assert "a strip of 1 stack for validation" in found
    assert "notes.txt" in train_dock.panel.warnings.text()
    plan = train_dock.panel.plan
    qtbot.waitUntil(lambda: "steps a minute" in plan.text().replace(NO_BREAK, " "), timeout=LONG)
    told = (
        r"about [\d.]+ steps a minute on this computer \(cpu in float32\)"
        r"(, with batches of 2 crops of 16 × \d+ × \d+ voxels to fit the time)?"
        r", and less than a second for each scoring, 1 stack of actin"
    )
    assert re.match(told, settle(train_dock, qtbot))
    (tmp_path / "actin" / "target" / "a.tif").unlink()
    train_dock.data.set_value(())
    train_dock.data.add_path(tmp_path / "actin" / "signal")
    qtbot.waitUntil(lambda: "no 'signal'" in settle(train_dock, qtbot), timeout=LONG)
    assert not train_dock.panel.run_button.isEnabled()


def test_a_name_that_is_no_folder_is_refused(train_dock: TrainDock, qtbot: QtBot) -> None:
    _choose(train_dock, name="../mine")
    assert "cannot be the name of a model" in settle(train_dock, qtbot)
