"""The dock, driven as a person does, in a real viewer with the real service and model."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run, settle
from strange_pictures import draw_dark_rods

from napari_ssp.registry import find_card
from napari_ssp.registry.folders import cache_folder
from napari_ssp.service import JobState
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import napari
    from dock_driver import SlowService
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService

MODEL = "mediar-starter"


def test_run_adds_labels_where_the_image_is(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    image = viewer.add_image(
        nuclei,
        name="nuclei",
        scale=(0.5, 0.25),
        translate=(7, 9),
        units=("um", "um"),
        axis_labels=("y", "x"),
    )
    assert settle(dock, qtbot).startswith("2D grey, 0.5 µm/px, 1 plane, 200 × 160 px, ")
    run(dock, qtbot)
    labels = viewer.layers[-1]
    assert labels.name == "nuclei labels"
    assert labels.data.shape == nuclei.shape
    assert labels.data.dtype == np.uint32
    assert 5 <= labels.data.max() <= 40
    inside = nuclei[labels.data > 0].mean()
    assert inside > 2 * nuclei[labels.data == 0].mean()
    np.testing.assert_array_equal(labels.scale, image.scale)
    np.testing.assert_array_equal(labels.translate, image.translate)
    assert labels.units == image.units
    assert labels.axis_labels == image.axis_labels
    record = labels.metadata["napari_ssp"]
    assert record["model"]["sha256"] == find_card(MODEL).sha256
    assert record["request"]["image"]["name"] == "nuclei"
    json.dumps(record)
    assert f"Found {labels.data.max()} cells" in dock.panel.message.text()
    assert dock.panel.run_button.isEnabled()
    assert not dock.panel.cancel_button.isEnabled()


def test_another_model_helps_where_the_chosen_one_fails_and_the_dock_says_so(
    viewer: napari.Viewer, dock: SegmentDock, qtbot: QtBot
) -> None:
    viewer.add_image(draw_dark_rods(), name="rods")
    run(dock, qtbot)
    record = viewer.layers["rods labels"].metadata["napari_ssp"]
    assert record["model"]["name"] == "generalist-starter"
    assert f"Another model was taken: '{MODEL}'" in dock.panel.message.text()
    dock.form.change(fallback=False)
    run(dock, qtbot)
    assert dock.panel.message.text().startswith("No cells found")


def test_without_an_image_run_is_refused_with_a_reason(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    assert "Open an image first" in settle(dock, qtbot)
    assert not dock.panel.run_button.isEnabled()
    image = viewer.add_image(nuclei)
    settle(dock, qtbot)
    assert dock.panel.run_button.isEnabled()
    viewer.layers.remove(image)
    assert "Open an image first" in settle(dock, qtbot)
    assert not dock.panel.run_button.isEnabled()


def test_the_image_follows_the_selected_layer_and_its_name(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any]
) -> None:
    first = viewer.add_image(nuclei, name="first")
    second = viewer.add_image(np.dstack([nuclei] * 3), name="second")
    assert dock.image_box.value() is second
    viewer.layers.selection.active = first
    assert dock.image_box.value() is first
    viewer.add_labels(np.zeros((4, 4), int))
    assert dock.image_box.value() is first
    first.name = "renamed"
    assert dock.image_box.currentText() == "renamed"


def test_colours_and_channels_are_offered(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(np.dstack([nuclei] * 3))
    assert settle(dock, qtbot).startswith("2D RGB, pixel size unknown")
    assert dock.form._channel.currentText() == "All colours"
    viewer.add_image(np.stack([nuclei, nuclei]), axis_labels=("c", "y", "x"))
    assert settle(dock, qtbot).startswith("2D channel 1 of 2")
    dock.form.set_value(SegmentChoices(channel=1))
    assert settle(dock, qtbot).startswith("2D channel 2 of 2")
    dock.form.set_value(SegmentChoices(channel=1, nuclei=0))
    assert settle(dock, qtbot).startswith("2D cells in channel 2, nuclei in channel 1, ")
    dock.form.set_value(SegmentChoices(channel=1, nuclei=1))
    assert "The nuclei cannot be in channel 1" in settle(dock, qtbot)


def test_one_plane_of_a_stack_and_all_of_them(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    stack = np.stack([np.zeros_like(nuclei), nuclei, nuclei])
    image = viewer.add_image(stack, name="stack", scale=(2, 1, 1))
    viewer.dims.set_current_step(0, 2)
    assert settle(dock, qtbot).startswith("3D grey, pixel size unknown, 1 plane of 3")
    run(dock, qtbot)
    plane = viewer.layers["stack labels"]
    assert plane.data.shape == (1, *nuclei.shape)
    np.testing.assert_array_equal(plane.translate, (4, 0, 0))
    viewer.layers.selection.active = image
    dock.form.set_value(SegmentChoices(all_planes=True))
    assert "3 planes of 3" in settle(dock, qtbot)
    run(dock, qtbot)
    whole = viewer.layers[-1]
    assert whole is not plane
    assert whole.data.shape == stack.shape
    assert whole.data[0].max() == 0
    assert set(np.unique(whole.data[1])) & set(np.unique(whole.data[2])) == {0}


def test_flow_and_probability_layers_are_kept_on_request(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    image = viewer.add_image(nuclei, name="n", scale=(2, 2))
    dock.form.set_value(SegmentChoices(keep_flows=True, keep_probability=True))
    run(dock, qtbot)
    assert [layer.name for layer in viewer.layers] == [
        "n",
        "n flows",
        "n cell probability",
        "n labels",
    ]
    flows, probability, labels = viewer.layers[1:]
    assert flows.rgb
    assert flows.data.shape == (*nuclei.shape, 3)
    assert 0 <= probability.data.min() < 0.5 < probability.data.max() <= 1
    assert np.median(probability.data[labels.data > 0]) > 0.5
    for layer in (flows, probability):
        np.testing.assert_array_equal(layer.scale, image.scale)
        assert layer.metadata["napari_ssp"] == labels.metadata["napari_ssp"]
    assert dock.image_box.count() == 1, "results are no images to segment"


def test_a_second_run_updates_the_layer_and_leaves_its_looks(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei, name="n")
    run(dock, qtbot)
    labels = viewer.layers[-1]
    labels.opacity, labels.contour = 0.3, 2
    before = int(labels.data.max())
    dock.form.set_value(SegmentChoices(min_size=100_000))
    run(dock, qtbot)
    assert list(viewer.layers) == [viewer.layers["n"], labels]
    assert before > 0
    assert labels.data.max() == 0
    assert (labels.opacity, labels.contour) == (0.3, 2)
    assert labels.metadata["napari_ssp"]["request"]["min_size"] == 100_000
    assert "No cells found" in dock.panel.message.text()


def test_drawn_corrections_are_not_overwritten(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei, name="n")
    run(dock, qtbot)
    labels = viewer.layers[-1]
    labels.data_setitem((np.array([3]), np.array([4])), 999)
    run(dock, qtbot)
    assert labels.data[3, 4] == 999
    assert viewer.layers[-1].name == "n labels [1]"
    assert viewer.layers[-1].data[3, 4] != 999


def test_the_visible_region_lies_where_it_was_seen(
    make_napari_viewer: Callable[..., napari.Viewer],
    service: ModelService,
    nuclei: NDArray[Any],
    qtbot: QtBot,
) -> None:
    viewer = make_napari_viewer(show=True)
    dock = SegmentDock(viewer, service)
    viewer.window.add_dock_widget(dock)
    image = viewer.add_image(nuclei, scale=(0.5, 0.5), translate=(10, 20))
    dock.form.set_value(SegmentChoices(visible_only=True))
    viewer.scene.camera.center = (0, 10 + 30, 20 + 50)
    viewer.scene.camera.zoom *= 4
    qtbot.waitUntil(lambda: np.ptp(image.corner_pixels[:, 0]) < 100)
    run(dock, qtbot)
    labels = viewer.layers[-1]
    y0, y1, x0, x1 = labels.metadata["napari_ssp"]["request"]["region"]
    assert 0 < y0 < 60 < y1 < 160
    assert 0 < x0 < 100 < x1 < 200
    assert labels.data.shape == (y1 - y0, x1 - x0)
    np.testing.assert_allclose(labels.translate, (10 + y0 * 0.5, 20 + x0 * 0.5))
    seen = nuclei[y0:y1, x0:x1]
    assert seen[labels.data > 0].mean() > 2 * seen[labels.data == 0].mean()


def test_3d_display_turns_the_visible_region_off(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei)
    viewer.dims.ndisplay = 3
    settle(dock, qtbot)
    box = dock.form._editors["visible_only"].widget
    assert not box.isEnabled()
    assert "3D" in box.toolTip()
    assert dock.panel.run_button.isEnabled()


def test_cancel_leaves_no_layer_and_frees_the_worker(
    viewer: napari.Viewer, slow_service: SlowService, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    dock = SegmentDock(viewer, slow_service)  # type: ignore[arg-type]
    viewer.window.add_dock_widget(dock)
    viewer.add_image(nuclei, name="n")
    settle(dock, qtbot)
    dock.panel.run_button.click()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.RUNNING, timeout=LONG)
    dock.panel.cancel_button.click()
    assert dock.panel.message.text() == "Cancelled."
    assert dock.panel.run_button.isEnabled()
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED, timeout=LONG)
    assert len(viewer.layers) == 1
    run(dock, qtbot)
    assert viewer.layers[-1].name == "n labels"


def test_removing_the_layer_stops_its_run(
    viewer: napari.Viewer, slow_service: SlowService, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    dock = SegmentDock(viewer, slow_service)  # type: ignore[arg-type]
    viewer.window.add_dock_widget(dock)
    image = viewer.add_image(nuclei)
    other = viewer.add_image(nuclei)
    viewer.layers.selection.active = image
    settle(dock, qtbot)
    dock.panel.run_button.click()
    viewer.layers.remove(other)
    assert dock.panel.cancel_button.isEnabled(), "another layer does not matter"
    viewer.layers.remove(image)
    assert "was removed" in dock.panel.message.text()
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED, timeout=LONG)
    qtbot.wait(50)
    assert len(viewer.layers) == 0


def test_closing_the_viewer_stops_the_run(
    make_napari_viewer: Callable[..., napari.Viewer],
    slow_service: SlowService,
    nuclei: NDArray[Any],
    qtbot: QtBot,
) -> None:
    viewer = make_napari_viewer()
    dock = SegmentDock(viewer, slow_service)  # type: ignore[arg-type]
    viewer.window.add_dock_widget(dock)
    viewer.add_image(nuclei)
    dock.run()
    viewer.close()
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED, timeout=LONG)


def test_closing_the_dock_stops_the_run(
    viewer: napari.Viewer, slow_service: SlowService, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    dock = SegmentDock(viewer, slow_service)  # type: ignore[arg-type]
    frame = viewer.window.add_dock_widget(dock)
    image = viewer.add_image(nuclei)
    dock.run()
    del dock
    frame.destroyOnClose()
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED, timeout=LONG)
    qtbot.wait(50)
    image.name = "nobody listens"
    assert list(viewer.layers) == [image]


def test_hiding_the_dock_does_not_stop_the_run(
    viewer: napari.Viewer, service: ModelService, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    dock = SegmentDock(viewer, service)
    frame = viewer.window.add_dock_widget(dock)
    viewer.add_image(nuclei)
    with qtbot.waitSignal(dock.done, timeout=LONG):
        dock.run()
        frame.setVisible(False)
    assert len(viewer.layers) == 2


def test_an_absent_device_is_said_in_the_dock(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    viewer.add_image(nuclei)
    dock.form.set_value(SegmentChoices(device=absent))
    outcome = run(dock, qtbot)
    assert outcome.state is JobState.FAILED
    text = dock.panel.message.text()
    assert f"'{absent}' is not available on this machine" in text
    assert "Traceback" not in text
    assert dock.panel.run_button.isEnabled()
    dock.form.set_value(SegmentChoices(device="cpu"))
    assert run(dock, qtbot).state is JobState.DONE
    assert dock.panel.message.styleSheet() == ""


@pytest.fixture
def copied_model() -> Iterator[Path]:
    folder = cache_folder() / "models" / "copied"
    shutil.copytree(find_card(MODEL).folder or "", folder)
    card = json.loads((folder / "card.json").read_text())
    digest = "0" * 64  # its own, as loaded networks are shared by digest
    (folder / "card.json").write_text(json.dumps({**card, "name": "copied", "sha256": digest}))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_damaged_weights_are_said_in_the_dock(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot, copied_model: Path
) -> None:
    viewer.add_image(nuclei)
    dock.refresh_models()
    dock.form.set_value(SegmentChoices(model="copied"))
    assert run(dock, qtbot).state is JobState.FAILED
    assert "The weights of 'copied' are damaged" in dock.panel.message.text()


def test_a_model_removed_meanwhile_is_no_longer_run(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot, copied_model: Path
) -> None:
    viewer.add_image(nuclei)
    dock.refresh_models()
    dock.form.set_value(SegmentChoices(model="copied"))
    settle(dock, qtbot)
    shutil.rmtree(copied_model)
    dock.panel.run_button.click()
    assert "There is no model 'copied'" in dock.panel.plan.text()
    assert not dock.panel.run_button.isEnabled()
