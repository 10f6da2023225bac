"""Masks, and labels not annotated everywhere, in the Measure dock of a real viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run, settle
from qtpy.QtWidgets import QFileDialog

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image
from napari_ssp.service import InspectRequest, ModelService, NumberPartsRequest
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.measure.object_table import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

MASK = np.zeros((60, 80), np.uint8)
MASK[5:15, 5:25], MASK[30:40, 50:60], MASK[50:55, 2:7] = 255, 255, 255
PLACE: dict[str, Any] = {"scale": (0.5, 0.5), "units": ("um", "um"), "translate": (3.0, 4.0)}


@pytest.fixture
def measure_dock(viewer: napari.Viewer) -> MeasureDock:
    dock = MeasureDock(viewer)
    viewer.window.add_dock_widget(dock, name="Measure objects")
    return dock


def wait_for_words(dock: MeasureDock, words: str, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: words in dock.panel.warnings.text(), timeout=LONG)


@pytest.mark.parametrize("mask", [MASK, MASK > 0])
def test_a_mask_is_numbered_on_one_click(
    viewer: napari.Viewer, measure_dock: MeasureDock, mask: NDArray[Any], qtbot: QtBot
) -> None:
    layer = viewer.add_labels(mask, name="mask", **PLACE)
    wait_for_words(measure_dock, "one number for 3 separate parts: a mask?", qtbot)
    assert measure_dock.parts_button.isVisibleTo(measure_dock)
    with qtbot.waitSignal(measure_dock.done, timeout=LONG):
        measure_dock.parts_button.click()
    numbered = viewer.layers["mask parts"]
    assert np.unique(numbered.data).tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(numbered.data > 0, mask > 0)
    np.testing.assert_allclose(numbered.translate, (3.0, 4.0))
    assert not layer.visible
    assert measure_dock.labels_box.value() is numbered
    qtbot.waitUntil(lambda: not measure_dock.parts_button.isVisibleTo(measure_dock), timeout=LONG)
    settle(measure_dock, qtbot)
    run(measure_dock, qtbot)
    assert numbered.features["area_um2"].tolist() == [50.0, 25.0, 6.25]


def test_what_nobody_annotated_is_left_out_and_said(
    viewer: napari.Viewer,
    measure_dock: MeasureDock,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = np.where(MASK, 2, 0).astype(np.int32)
    labels[5:15, 5:25], labels[:, 70:] = 7, -1
    layer = viewer.add_labels(labels, name="cells")
    wait_for_words(measure_dock, "600 pixels are -1, not annotated; they are left out", qtbot)
    assert not measure_dock.parts_button.isVisibleTo(measure_dock)
    run(measure_dock, qtbot)
    assert layer.features["index"].tolist() == [2, 7]
    path = tmp_path / "saved.ome.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", staticmethod(lambda *_: (str(path), "")))
    (kind,) = [kind for kind in KINDS if kind.suffix == ".ome.tif"]
    with qtbot.waitSignal(measure_dock.done, timeout=LONG):
        measure_dock.save(kind)
    np.testing.assert_array_equal(read_image(path).data, np.maximum(labels, 0))


def test_an_image_that_shows_nothing_is_said(
    viewer: napari.Viewer, measure_dock: MeasureDock, qtbot: QtBot
) -> None:
    viewer.add_image(np.full(MASK.shape, np.nan, np.float32), name="empty")
    viewer.add_labels(MASK, name="cells")
    wait_for_words(measure_dock, "The image 'empty' has no finite values", qtbot)


def test_layers_are_inspected_and_numbered_as_requests() -> None:
    movie = MicroscopyImage(np.stack([MASK, MASK[::-1]]), "tyx", name="movie")
    turned = MicroscopyImage(movie.data.transpose(1, 2, 0), "yxt", name="movie")
    with ModelService() as service:
        said = service.submit(InspectRequest((movie, turned))).result()
        numbers = service.submit(NumberPartsRequest(turned)).result()
        bad = service.submit(InspectRequest((MicroscopyImage(-2 * np.ones((3, 4), int), "yx"),)))
        assert "holds the negative label -2" in bad.result()[0]
    assert said[0].startswith("Each of 2 label images has one number for 3 separate parts")
    assert numbers.shape == turned.shape
    assert np.unique(numbers[..., 1]).tolist() == [0, 4, 5, 6]
