"""The Cells and nuclei dock in a real viewer: layers in, three labels layers with a table out."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import run, settle
from threshold_student import write_threshold_student

import napari_ssp as ssp
from napari_ssp.cli.compartments import compartments
from napari_ssp.io import write_image
from napari_ssp.widgets.compartments.dock import CompartmentsDock
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.repeat_layer import build_command, run_again

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

CELLS = np.zeros((32, 32), np.uint8)
CELLS[2:14, 2:14], CELLS[18:30, 16:30] = 200, 200
NUCLEI = np.zeros((32, 32), np.uint8)
NUCLEI[4:10, 4:10] = 200


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_threshold_student(tmp_path_factory.mktemp("models") / "thresholds"))


@pytest.fixture
def cells_dock(viewer: napari.Viewer) -> CompartmentsDock:
    """The dock as the menu opens it."""
    dock: Any = viewer.window.add_plugin_dock_widget("napari-ssp", "Cells and nuclei")[1]
    return dock


def test_two_layers_become_three_with_a_table_and_measure_agrees(
    viewer: napari.Viewer, cells_dock: CompartmentsDock, student: str, qtbot: QtBot
) -> None:
    dock = cells_dock
    assert "Open an image first" in settle(dock, qtbot)
    scale: dict[str, Any] = {"scale": (0.5, 0.5), "units": ("um", "um"), "axis_labels": ("y", "x")}
    viewer.add_image(CELLS, name="field actin", **scale)
    assert "no other image layer lies on it" in settle(dock, qtbot)
    viewer.add_image(CELLS[:9], name="another field", **scale)
    dapi = viewer.add_image(NUCLEI, name="field DAPI", **scale)
    assert dock.image_box.currentText() == "another field"  # a stain of DNA shows no cells
    dock.image_box.set_value(viewer.layers["field actin"])
    plan = settle(dock, qtbot)
    both = "cells in channel 1 (field actin), nuclei in channel 2 (field DAPI)"
    assert plan.startswith(f"Cells by generalist-starter: 2D {both}, ")
    assert "; nuclei by mediar-starter: 2D channel 2 of 2 (field DAPI), " in plan
    assert dock.nuclei_box.value() is dapi
    dock.form.change(model=student, nuclei_model=student)
    run(dock, qtbot)
    names = ["field actin cytoplasm", "field actin nuclei", "field actin cells"]
    assert [layer.name for layer in viewer.layers[-3:]] == names
    cytoplasm, nuclei, cells = viewer.layers[-3:]
    np.testing.assert_array_equal(cells.data > 0, CELLS > 0)
    np.testing.assert_array_equal(nuclei.data, np.where(NUCLEI > 0, cells.data, 0))
    np.testing.assert_array_equal(nuclei.data + cytoplasm.data, cells.data)
    for layer in (nuclei, cytoplasm):
        np.testing.assert_array_equal(layer.get_color(1), cells.get_color(1))
        np.testing.assert_array_equal(layer.scale, (0.5, 0.5))
    said = dock.panel.message.text()
    assert said.startswith("Found 2 cells with 1 nucleus in")
    assert "1 of 2 cells without a nucleus." in said
    table = {name: cells.features[name].tolist() for name in cells.features}
    assert sorted(table["num_nuclei"]) == [0, 1]
    assert 36 / 108 in table["nucleus_to_cytoplasm_area"]

    measure = MeasureDock(viewer)
    viewer.window.add_dock_widget(measure, name="Measure objects")
    viewer.layers.selection.active = cells
    assert "nuclei in 'field actin nuclei' and ratios" in settle(measure, qtbot)
    run(measure, qtbot)
    again = {name: cells.features[name].tolist() for name in cells.features}
    for name in ("num_nuclei", "nucleus_to_cytoplasm_area"):
        assert again[name] == pytest.approx(table[name], nan_ok=True)
    viewer.layers.selection.active = nuclei
    assert "ratios" not in settle(measure, qtbot)


def test_a_layer_of_several_channels_has_both(
    viewer: napari.Viewer, cells_dock: CompartmentsDock, student: str, qtbot: QtBot
) -> None:
    dock = cells_dock
    both = np.stack([[CELLS, CELLS], [NUCLEI, NUCLEI]])
    viewer.add_image(both, name="movie", axis_labels=("c", "t", "y", "x"))
    settle(dock, qtbot)
    assert [dock.nuclei_box.itemText(k) for k in range(dock.nuclei_box.count())] == ["Channel 2"]
    dock.form.change(model=student, nuclei_model=student, all_planes=True)
    assert settle(dock, qtbot).count("2 planes of 2") == 2
    run(dock, qtbot)
    cells = viewer.layers["movie cells"]
    assert cells.data.shape == (2, 32, 32)
    assert cells.features["t"].tolist() == [0, 0, 1, 1]
    assert "2 of 4 cells without a nucleus." in dock.panel.message.text()
    dock.form.change(channel=1)
    settle(dock, qtbot)
    assert dock.nuclei_box.currentText() == "Channel 1"


def test_a_nuclei_layer_that_changed_meanwhile_drops_the_result(
    viewer: napari.Viewer, slow_service: Any, student: str, qtbot: QtBot
) -> None:
    dock = CompartmentsDock(viewer, slow_service)
    viewer.window.add_dock_widget(dock, name="Cells and nuclei")
    viewer.add_image(CELLS, name="cells")
    dapi = viewer.add_image(NUCLEI, name="DAPI")
    dock.form.change(model=student, nuclei_model=student)
    settle(dock, qtbot)
    with qtbot.waitSignal(dock.done, timeout=60_000):
        dock.run()
        dapi.data = NUCLEI.copy()
        slow_service.gate.set()
    assert "'DAPI' was changed during its segmentation" in dock.panel.message.text()
    assert len(viewer.layers) == 2


def test_a_result_of_two_channels_of_a_file_is_made_again_and_copied_as_a_command(
    viewer: napari.Viewer, cells_dock: CompartmentsDock, tmp_path: Path, student: str, qtbot: QtBot
) -> None:
    pixels = np.stack([NUCLEI, np.zeros_like(CELLS), CELLS])
    names = ("DAPI", "empty", "actin")
    path = write_image(tmp_path / "f.ome.tif", ssp.MicroscopyImage(pixels, "cyx", None, names))
    viewer.open(path, plugin="napari-ssp")
    cells_dock.image_box.set_value(viewer.layers["f actin"])
    settle(cells_dock, qtbot)
    assert cells_dock.nuclei_box.currentText() == "f DAPI"
    settings = {"model": student, "nuclei_model": student, "nuclei_min_size": 20}
    cells_dock.form.change(**settings)
    run(cells_dock, qtbot)
    cells = viewer.layers["f actin cells"]
    viewer.layers.selection.active = cells
    words = shlex.split(build_command(viewer))
    assert words[:3] == ["napari-ssp", "compartments", str(path)]
    chosen = compartments.make_context("compartments", words[2:]).params
    assert (chosen["channel"], chosen["nuclei"], chosen["nuclei_min_size"]) == (2, 0, 20)
    found = cells.data.copy()
    cells.data[:] = 0
    cells_dock.form.change(nuclei_min_size=7)
    with qtbot.waitSignal(cells_dock.done, timeout=60_000):
        run_again(viewer)
    np.testing.assert_array_equal(viewer.layers["f actin cells"].data, found)
    assert cells_dock.form.value().nuclei_min_size == 20
