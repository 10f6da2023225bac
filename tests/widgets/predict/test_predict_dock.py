"""The dock, driven as a person does, in a real viewer with the real service and a tiny model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run, settle

from napari_ssp import predict_structures
from napari_ssp.registry import find_card
from napari_ssp.service import GatesRequest, JobState, objects_request
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.predict.dock import PredictDock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from dock_driver import SlowService
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService

MODEL = "tiny-structures"
MICROMETRES = ("um", "um", "um")


def _choose(dock: PredictDock, **choices: Any) -> None:
    dock.form.set_value(replace(dock.form.value(), **choices))


@pytest.fixture
def slow_dock(viewer: napari.Viewer, slow_service: SlowService, structures: Path) -> PredictDock:
    dock = PredictDock(viewer, slow_service)  # type: ignore[arg-type]
    viewer.window.add_dock_widget(dock)
    _choose(dock, model="tiny-structures", tasks=("dna",))
    return dock


def test_each_structure_becomes_a_layer_where_the_stack_is(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    image = viewer.add_image(
        stack,
        name="cells",
        scale=(0.5, 0.2, 0.2),
        translate=(5, 7, 9),
        units=MICROMETRES,
        axis_labels=("z", "y", "x"),
    )
    _choose(predict_dock, tasks=("dna", "lamin_b1"))
    plan = settle(predict_dock, qtbot)
    assert plan.startswith("3D 12 × 40 × 48 voxels of 0.5 × 0.2 × 0.2 µm, seen as 21 × 28 × 33, ")
    assert plan.endswith("2 structures")
    assert not predict_dock.panel.warnings.isVisible()
    run(predict_dock, qtbot)
    assert [layer.name for layer in viewer.layers] == ["cells", "cells dna", "cells lamin_b1"]
    expected = predict_structures(stack, ("dna", "lamin_b1"), MODEL, voxel_size=(0.5, 0.2, 0.2))
    for layer, (task, values) in zip(viewer.layers[1:], expected.items(), strict=True):
        assert layer.name == f"cells {task}"
        np.testing.assert_allclose(layer.data, values, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(layer.scale, image.scale)
        np.testing.assert_array_equal(layer.translate, image.translate)
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels
        assert layer.blending == "additive"
        low, high = layer.contrast_limits
        assert values.min() <= low < high <= values.max()
        record = layer.metadata["napari_ssp"]
        assert record["model"]["sha256"] == find_card(MODEL).sha256
        assert record["request"]["tasks"] == ["dna", "lamin_b1"]
        json.dumps(record)
    assert viewer.layers[1].colormap.name != viewer.layers[2].colormap.name
    assert predict_dock.panel.message.text().startswith("Predicted dna and lamin_b1 in ")
    assert predict_dock.image_box.count() == 1, "results are no stacks to predict from"


def test_what_cannot_be_predicted_is_refused_with_a_sentence(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    def refusal() -> str:
        plan = settle(predict_dock, qtbot)
        assert not predict_dock.panel.run_button.isEnabled()
        return plan

    assert "Open a transmitted-light stack first" in refusal()
    viewer.add_image(stack, scale=(0.29,) * 3, units=MICROMETRES, name="good")
    assert "Choose at least one structure of: dna, lamin_b1, nucleoli" in refusal()
    _choose(predict_dock, tasks=("dna",))
    settle(predict_dock, qtbot)
    assert predict_dock.panel.run_button.isEnabled()
    _choose(predict_dock, voxel_size=(0.0, 0.29, 0.29))
    assert "voxel size is (0.0, 0.29, 0.29)" in refusal()
    _choose(predict_dock, voxel_size=None)
    predict_dock.image_box.set_value(viewer.add_image(stack[0], name="flat"))
    assert "'flat' has no z axis (its axes are y, x)" in refusal()
    viewer.add_image(np.dstack([stack[0]] * 3), name="photo")
    assert "'photo' is a colour image" in refusal()
    viewer.add_image(np.zeros((2, 2, 2, 4, 4)), name="odd")
    assert "'odd' has 5 dimensions" in refusal()
    viewer.layers.selection.active = viewer.layers["good"]
    settle(predict_dock, qtbot)
    assert predict_dock.panel.run_button.isEnabled()


def test_a_plane_is_enough_for_what_was_learned_from_planes(
    viewer: napari.Viewer,
    predict_dock: PredictDock,
    structures: Path,
    stack: NDArray[Any],
    qtbot: QtBot,
) -> None:
    replace(find_card(MODEL), from_planes=("dna",)).write(structures)
    viewer.add_image(stack[0], name="flat", scale=(0.29, 0.29), units=MICROMETRES[1:])
    _choose(predict_dock, tasks=("lamin_b1",))
    said = settle(predict_dock, qtbot)
    assert "'flat' has no z axis" in said
    assert said.endswith("Of 'tiny-structures' a plane is enough for: dna.")
    _choose(predict_dock, tasks=("dna",))
    assert settle(predict_dock, qtbot).startswith("2D 40 × 48 pixels")
    run(predict_dock, qtbot)
    layer = viewer.layers["flat dna"]
    assert layer.data.shape == (40, 48)
    np.testing.assert_array_equal(layer.scale, (0.29, 0.29))
    assert predict_dock.panel.message.text().startswith("Predicted dna in ")
    predict_dock.objects_button.click()
    qtbot.waitUntil(lambda: not predict_dock.controller.is_running, timeout=LONG)
    assert viewer.layers["flat dna objects"].data.shape == (40, 48)


def test_a_selected_plane_does_not_replace_the_stack(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    flat = viewer.add_image(stack[0], name="flat")
    assert predict_dock.image_box.value() is flat, "better than nothing, as it says why not"
    first = viewer.add_image(stack, name="first")
    assert predict_dock.image_box.value() is first
    viewer.layers.selection.active = flat
    assert predict_dock.image_box.value() is first
    second = viewer.add_image(stack, name="second")
    assert predict_dock.image_box.value() is second


def test_the_sample_is_ready_to_predict_from(
    viewer: napari.Viewer, predict_dock: PredictDock, qtbot: QtBot
) -> None:
    viewer.open_sample("napari-ssp", "transmitted_light_neurons")
    _choose(predict_dock, tasks=("dna",))
    settle(predict_dock, qtbot)
    assert predict_dock.image_box.value().ndim == 3
    assert predict_dock.panel.run_button.isEnabled()


def test_the_voxel_size_that_counts_is_the_one_on_display(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    source = predict_dock.form._voxel.source
    viewer.add_image(stack, name="bare")
    _choose(predict_dock, tasks=("dna",))
    assert "voxels of 0.29 × 0.29 × 0.29 µm" in settle(predict_dock, qtbot)
    assert source.text() == "µm, from the model"
    assert "voxel size is unknown" in predict_dock.panel.warnings.text()
    _choose(predict_dock, voxel_size=(0.3, 0.145, 0.145))
    assert "seen as 12 × 20 × 24" in settle(predict_dock, qtbot)
    assert predict_dock.panel.warnings.text() == ""
    run(predict_dock, qtbot)
    record = viewer.layers["bare dna"].metadata["napari_ssp"]["request"]
    assert record["voxel_size"] == pytest.approx([0.3, 0.145, 0.145])
    viewer.add_image(stack, name="sized", scale=(500, 200, 200), units=("nm",) * 3)
    assert "voxels of 0.5 × 0.2 × 0.2 µm" in settle(predict_dock, qtbot)
    assert source.text() == "µm, from the layer"
    viewer.layers["sized"].scale = (5000, 2000, 2000)
    assert "voxels of 5 × 2 × 2 µm" in settle(predict_dock, qtbot)
    assert "far from the model's" in predict_dock.panel.warnings.text()


def test_a_step_in_z_without_a_length_is_no_voxel_size(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(stack, scale=(1, 0.2, 0.2), units=("pixel", "um", "um"))
    settle(predict_dock, qtbot)
    assert predict_dock.form._voxel.source.text() == "µm, from the model"


def test_a_second_run_updates_the_layer_and_leaves_its_looks(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(stack, name="cells")
    _choose(predict_dock, tasks=("dna",))
    run(predict_dock, qtbot)
    layer = viewer.layers["cells dna"]
    layer.colormap, before = "green", np.array(layer.data)
    _choose(predict_dock, tasks=("dna", "nucleoli"), measured_units=True)
    run(predict_dock, qtbot)
    assert [layer.name for layer in viewer.layers] == ["cells", "cells dna", "cells nucleoli"]
    assert viewer.layers["cells dna"] is layer
    np.testing.assert_allclose(layer.data, before * 30 + 120, rtol=1e-4)
    assert layer.colormap.name == "green"
    assert layer.contrast_limits[0] > 50
    assert "does not say how nucleoli was measured" in predict_dock.panel.warnings.text()


def test_planes_and_channel_reach_the_prediction(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    both = np.stack([255 - stack, stack])
    viewer.add_image(both, name="cells", axis_labels=tuple("czyx"), scale=(1, 0.5, 2, 2))
    settle(predict_dock, qtbot)
    assert predict_dock.form._planes._kind.itemText(0) == "All 12 planes"
    _choose(predict_dock, tasks=("dna",), channel=1, z_range=(3, 8))
    assert settle(predict_dock, qtbot).startswith("3D channel 2 of 2, 5 × 40 × 48 voxels")
    viewer.dims.set_current_step(1, 10)
    run(predict_dock, qtbot)
    text = predict_dock.panel.message.text()
    assert text.endswith(" s. It lies in planes 3 to 7; the slider stands at 10.")
    layer = viewer.layers["cells dna"]
    expected = predict_structures(stack, ["dna"], MODEL, z_range=(3, 8))["dna"]
    np.testing.assert_allclose(layer.data, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.translate, (1.5, 0, 0))


def test_the_time_point_on_display_is_predicted(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    movie = np.stack([stack, stack[::-1], stack])
    viewer.add_image(movie, name="movie", scale=(10, 1, 1, 1))
    _choose(predict_dock, tasks=("dna",))
    viewer.dims.set_point(0, 10)
    viewer.dims.ndisplay = 3
    run(predict_dock, qtbot)
    layer = viewer.layers["movie dna"]
    assert layer.data.shape == (1, *stack.shape)
    np.testing.assert_array_equal(layer.translate, (10, 0, 0, 0))
    expected = predict_structures(stack[::-1], ["dna"], MODEL)["dna"]
    np.testing.assert_allclose(layer.data[0], expected, rtol=1e-5, atol=1e-6)


def test_the_visible_region_lies_where_it_was_seen(
    make_napari_viewer: Callable[..., napari.Viewer],
    service: ModelService,
    structures: Path,
    stack: NDArray[Any],
    qtbot: QtBot,
) -> None:
    viewer = make_napari_viewer(show=True)
    dock = PredictDock(viewer, service)
    viewer.window.add_dock_widget(dock)
    image = viewer.add_image(stack, scale=(1, 0.5, 0.5), translate=(0, 10, 20))
    _choose(dock, model="tiny-structures", tasks=("dna",), visible_only=True)
    viewer.scene.camera.center = (0, 10 + 10, 20 + 12)
    viewer.scene.camera.zoom *= 4
    qtbot.waitUntil(lambda: np.ptp(image.corner_pixels[:, 1]) < 30)
    run(dock, qtbot)
    layer = viewer.layers[-1]
    y0, y1, x0, x1 = layer.metadata["napari_ssp"]["request"]["region"]
    assert 0 < y0 < 20 < y1 < 40
    assert layer.data.shape == (12, y1 - y0, x1 - x0)
    np.testing.assert_allclose(layer.translate, (0, 10 + y0 * 0.5, 20 + x0 * 0.5))


def test_cancel_leaves_no_layer_and_late_results_are_dropped(
    viewer: napari.Viewer,
    slow_dock: PredictDock,
    slow_service: SlowService,
    stack: NDArray[Any],
    qtbot: QtBot,
) -> None:
    viewer.add_image(stack, name="cells")
    settle(slow_dock, qtbot)
    slow_dock.panel.run_button.click()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.RUNNING, timeout=LONG)
    slow_dock.panel.cancel_button.click()
    assert slow_dock.panel.message.text() == "Cancelled."
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED, timeout=LONG)
    assert len(viewer.layers) == 1
    slow_dock.panel.run_button.click()
    slow_service.jobs[1].result(timeout=60)  # the news wait in the event queue
    slow_dock.panel.cancel_button.click()
    qtbot.wait(50)
    assert len(viewer.layers) == 1
    run(slow_dock, qtbot)
    assert viewer.layers[-1].name == "cells dna"


def test_removing_the_layer_stops_its_run(
    viewer: napari.Viewer,
    slow_dock: PredictDock,
    slow_service: SlowService,
    stack: NDArray[Any],
    qtbot: QtBot,
) -> None:
    image = viewer.add_image(stack)
    slow_dock.run()
    viewer.layers.remove(image)
    assert "so its prediction was stopped" in slow_dock.panel.message.text()
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED, timeout=LONG)
    qtbot.wait(50)
    assert len(viewer.layers) == 0


def test_closing_the_viewer_stops_the_run(
    make_napari_viewer: Callable[..., napari.Viewer],
    slow_service: SlowService,
    structures: Path,
    stack: NDArray[Any],
    qtbot: QtBot,
) -> None:
    viewer = make_napari_viewer()
    dock = PredictDock(viewer, slow_service)  # type: ignore[arg-type]
    viewer.window.add_dock_widget(dock)
    viewer.add_image(stack)
    _choose(dock, tasks=("dna",))
    dock.run()
    dock.gates.fold.click()
    viewer.close()
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED, timeout=LONG)


def test_closing_the_dock_stops_its_runs(
    viewer: napari.Viewer,
    slow_service: SlowService,
    structures: Path,
    stack: NDArray[Any],
    qtbot: QtBot,
) -> None:
    dock = PredictDock(viewer, slow_service)  # type: ignore[arg-type]
    frame = viewer.window.add_dock_widget(dock)
    image = viewer.add_image(stack)
    _choose(dock, model="tiny-structures", tasks=("dna",))
    dock.run()
    dock.gates.fold.click()
    assert len(slow_service.jobs) == 2
    del dock
    frame.destroyOnClose()
    slow_service.gate.set()
    for job in slow_service.jobs:
        qtbot.waitUntil(lambda job=job: job.state is JobState.CANCELLED, timeout=LONG)
    qtbot.wait(50)
    image.name = "nobody listens"
    assert list(viewer.layers) == [image]


def test_gates_are_loaded_when_they_are_unfolded(
    slow_dock: PredictDock, slow_service: SlowService, service: ModelService, qtbot: QtBot
) -> None:
    slow_service.gate.set()
    settle(slow_dock, qtbot)
    assert slow_service.jobs == []
    _choose(slow_dock, tasks=("nucleoli",))
    settle(slow_dock, qtbot)
    slow_dock.gates.fold.click()
    assert slow_dock.gates.task_box.value() == "nucleoli"
    qtbot.waitUntil(lambda: bool(slow_dock.gates.view.bars), timeout=LONG)
    gates = service.submit(GatesRequest(MODEL, "nucleoli")).result()
    assert [bar.block for bar in slow_dock.gates.view.bars] == list(gates)
    for bar, weights in zip(slow_dock.gates.view.bars, gates.values(), strict=True):
        np.testing.assert_allclose(bar.shares, weights.mean(axis=1), rtol=1e-6)


def test_gates_that_cannot_be_loaded_say_why(
    predict_dock: PredictDock, structures: Path, qtbot: QtBot
) -> None:
    digest = "0" * 64
    card = json.loads((structures / "card.json").read_text())
    (structures / "card.json").write_text(json.dumps({**card, "sha256": digest}))
    predict_dock.gates.fold.click()
    qtbot.waitUntil(lambda: "are damaged" in predict_dock.gates.message.text(), timeout=LONG)


def test_a_model_removed_meanwhile_is_no_longer_run(
    viewer: napari.Viewer,
    predict_dock: PredictDock,
    stack: NDArray[Any],
    structures: Path,
    qtbot: QtBot,
) -> None:
    viewer.add_image(stack)
    _choose(predict_dock, tasks=("dna",))
    settle(predict_dock, qtbot)
    shutil.rmtree(structures)
    predict_dock.panel.run_button.click()
    assert "There is no model 'tiny-structures'" in predict_dock.panel.plan.text()
    assert not predict_dock.panel.run_button.isEnabled()


def test_objects_of_a_structure_become_labels_with_a_table(
    viewer: napari.Viewer,
    predict_dock: PredictDock,
    qtbot: QtBot,
    monkeypatch: Any,
    finding_model: Path,
) -> None:
    pixels = np.random.default_rng(0).normal(100, 20, (2, 3, 32, 40)).astype(np.float32)
    image = viewer.add_image(
        pixels, name="movie", scale=(1, 0.29, 0.29, 0.29), translate=(0, 1, 2, 3)
    )
    image.units, image.axis_labels = ("pixel", "um", "um", "um"), ("t", "z", "y", "x")
    viewer.dims.set_point(0, 1)
    _choose(predict_dock, tasks=())
    settle(predict_dock, qtbot)
    assert not predict_dock.objects_button.isEnabled()
    _choose(predict_dock, tasks=("dna", "lamin_b1"))
    settle(predict_dock, qtbot)
    assert predict_dock.objects_button.text() == "Find objects in 'dna'"
    easily = {"model": str(finding_model), "flow_threshold": 0, "min_size": 4}
    monkeypatch.setattr(
        "napari_ssp.widgets.predict.dock.objects_request",
        lambda request: replace(objects_request(request), **easily),
    )
    with qtbot.waitSignal(predict_dock.done, timeout=LONG):
        predict_dock.objects_button.click()
    names = [layer.name for layer in viewer.layers]
    assert names == ["movie", "movie dna", "movie dna objects"]
    labels: Any = viewer.layers["movie dna objects"]
    dna = predict_structures(pixels, "dna", MODEL, axes="tzyx", voxel_size=(0.29,) * 3, time=1)
    np.testing.assert_allclose(viewer.layers["movie dna"].data[0], dna["dna"], rtol=1e-5, atol=1e-6)
    count = labels.data.max()
    assert count > 1
    assert labels.data.shape == (1, 3, 32, 40)
    np.testing.assert_array_equal(labels.translate, (1, 1, 2, 3))
    assert list(labels.features["index"]) == list(range(1, count + 1))
    assert "mean_dna" in labels.features
    assert f"Found {count} objects in the predicted dna" in predict_dock.panel.message.text()
    assert labels.metadata["napari_ssp"]["through"]["model"]["name"] == MODEL
    measure = MeasureDock(viewer)
    viewer.window.add_dock_widget(measure)
    measure.labels_box.set_value(labels)
    settle(measure, qtbot)
    assert measure.save_button.isEnabled()
    labels.data = np.roll(labels.data, 1, axis=-1)
    qtbot.waitUntil(lambda: not measure.save_button.isEnabled(), timeout=LONG)


def test_objects_are_not_found_in_some_planes(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(stack, name="cells")
    settle(predict_dock, qtbot)
    _choose(predict_dock, tasks=("dna",), z_range=(2, 9))
    settle(predict_dock, qtbot)
    predict_dock.objects_button.click()
    assert "choose all planes" in predict_dock.panel.message.text()
    assert len(viewer.layers) == 1
