"""A result of the visible part of one plane: shown, saved, reopened, measured and exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import roifile
from dock_driver import LONG, run, settle
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QFileDialog

import napari_ssp
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image
from napari_ssp.place import cut
from napari_ssp.widgets.layers.images import layer_image
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.measure.object_table import CSV, KINDS
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService

PLUGIN = "napari-ssp"


@pytest.fixture(autouse=True)
def plugin() -> None:
    manager = PluginManager.instance()
    manager.discover()
    if PLUGIN not in manager:
        folder = Path(napari_ssp.__file__).parent
        manager.register(PluginManifest.from_file(folder / "napari.yaml"))


def test_the_visible_part_of_a_plane_keeps_its_place(
    make_napari_viewer: Callable[..., napari.Viewer],
    service: ModelService,
    nuclei: NDArray[Any],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer(show=True)
    dock = SegmentDock(viewer, service)
    viewer.window.add_dock_widget(dock)
    image = viewer.add_image(
        np.stack([0 * nuclei, nuclei, 0 * nuclei]), name="n", scale=(2, 0.5, 0.5),
        translate=(0, 100, -50), units="um", axis_labels=("plane", "row", "col"),
    )  # fmt: skip
    dock.form.set_value(SegmentChoices(visible_only=True))
    viewer.dims.set_point(0, 2.0)
    viewer.scene.camera.center = (0, 100 + 30, -50 + 50)
    viewer.scene.camera.zoom *= 4
    qtbot.waitUntil(lambda: np.ptp(image.corner_pixels[:, 1]) < 100)
    run(dock, qtbot)
    labels = viewer.layers["n labels"]
    y0, _, x0, _ = labels.metadata["napari_ssp"]["request"]["region"]
    assert (y0 > 0, x0 > 0) == (True, True)
    origin, place = (0, 1, y0, x0), (2, 100 + y0 / 2, -50 + x0 / 2)
    layers = [labels]
    for suffix in (".ome.tif", ".ome.zarr"):
        written, _provenance = labels.save(str(tmp_path / f"a{suffix}"), plugin=PLUGIN)
        layers += viewer.open(written, plugin=PLUGIN)
    for layer in layers:
        np.testing.assert_allclose(layer.translate, place)
        np.testing.assert_array_equal(layer.data, labels.data)
        found = layer_image(layer)
        assert (found.origin, found.full_axes) == (origin, "zyx")
        assert found.position == pytest.approx((0, 100, -50))
    measure = MeasureDock(viewer)
    viewer.window.add_dock_widget(measure)
    for number, layer in enumerate(layers):
        measure.labels_box.set_value(layer)
        assert "n" in measure.image_list.value()
        measure.image_list.set_value(("n",))
        run(measure, qtbot)
        _check_exports(measure, qtbot, tmp_path / f"{number}", monkeypatch, layer)


def _check_exports(
    dock: MeasureDock, qtbot: QtBot, folder: Path, patch: pytest.MonkeyPatch, layer: Any
) -> None:
    rois, geojson, *_ = KINDS
    folder.mkdir()
    for kind in (CSV, rois, geojson):
        path = folder / f"a{kind.suffix}"
        answer = staticmethod(lambda *_, path=path: (str(path), ""))
        patch.setattr(QFileDialog, "getSaveFileName", answer)
        with qtbot.waitSignal(dock.done, timeout=LONG):
            dock.save(kind)
    _, z, y, x = layer_image(layer).origin
    rows, columns = np.nonzero(layer.data[0] == 1)
    with (folder / "a.csv").open() as file:
        row = next(csv.DictReader(file))
    assert float(row["centroid_y_px"]) == pytest.approx(rows.mean() + y)
    assert float(row["centroid_x_um"]) == pytest.approx((columns.mean() + x) / 2)
    assert (int(row["z"]), int(row["bbox_x_start_px"])) == (z, columns.min() + x)
    feature = json.loads((folder / "a.geojson").read_text())["features"][0]
    corners = np.array(feature["geometry"]["coordinates"][0])
    assert corners.min(axis=0).tolist() == [columns.min() + x, rows.min() + y]
    assert feature["geometry"]["plane"]["z"] == z
    roi = roifile.roiread(folder / "a.zip")[0]
    assert (roi.top, roi.left, roi.position) == (rows.min() + y, columns.min() + x, z + 1)


def test_a_part_that_was_opened_gives_results_of_the_full_image(
    viewer: napari.Viewer,
    dock: SegmentDock,
    nuclei: NDArray[Any],
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    whole = MicroscopyImage(nuclei, "yx", (1, 0.5, 0.5), position=(0, 10, 20))
    part = cut(whole, {"y": 30, "x": 40}, {"y": 90, "x": 100})
    viewer.open(str(write_image(tmp_path / "part.ome.zarr", part)), plugin=PLUGIN)
    run(dock, qtbot)
    labels = viewer.layers["part labels"]
    np.testing.assert_allclose(labels.translate, (25, 40))
    assert labels.data.shape == (90, 100)
    assert layer_image(labels).origin == (0, 0, 30, 40)
    dock.refining.panel.boxes["cell_threshold"].slider.setValue(160)
    qtbot.waitUntil(lambda: dock.refining.panel.commit_button.isEnabled(), timeout=LONG)
    np.testing.assert_allclose(labels.translate, (25, 40))


def test_positions_are_images_of_their_own(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    both = np.stack([nuclei, nuclei[::-1]])
    viewer.add_image(both, name="p", axis_labels=("position", "y", "x"))
    dock.form.set_value(SegmentChoices(all_planes=True, stacks="linked"))
    assert "'p' holds positions" in settle(dock, qtbot)
    assert not dock.panel.run_button.isEnabled()
    dock.form.set_value(SegmentChoices(all_planes=True))
    assert "2 planes of 2" in settle(dock, qtbot)
    viewer.layers["p"].axis_labels = ("montage", "y", "x")
    text = settle(dock, qtbot)
    qtbot.waitUntil(lambda: "'montage'" in settle(dock, qtbot), timeout=5000)
    assert not dock.panel.run_button.isEnabled(), text


def test_a_rotated_layer_keeps_the_place_of_its_result(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    moved = np.eye(3)
    moved[:2, 2] = (100, 200)
    image = viewer.add_image(nuclei, name="n", rotate=30, translate=(3, 4), affine=moved)
    run(dock, qtbot)
    labels = viewer.layers["n labels"]
    for corner in ((0, 0), (159, 0), (10, 199)):
        np.testing.assert_allclose(labels.data_to_world(corner), image.data_to_world(corner))
    assert layer_image(labels).position == pytest.approx((0, 103, 204))
