"""A folder gone through in a real viewer: shown, corrected, segmented, measured, closed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from dock_driver import LONG, SlowService, run, settle
from qtpy.QtWidgets import QFileDialog

from napari_ssp.io import read_image, read_label_image, write_labels
from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.service import Segmentation
from napari_ssp.service.network_outputs import find_outputs, read_outputs
from napari_ssp.service.review.decisions import Decision, ObjectKey
from napari_ssp.widgets.layers.images import layer_file
from napari_ssp.widgets.layers.shown_segmentations import remember_segmentation
from napari_ssp.widgets.review.keeper import DecisionKeeper
from napari_ssp.widgets.series.dock import SeriesDock

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    import tifffile
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService
    from napari_ssp.service.series.table import MeasureSeriesRequest
    from napari_ssp.widgets.segment.dock import SegmentDock
else:
    tifffile = pytest.importorskip("tifffile")


@pytest.fixture
def folder(tmp_path: Path, nuclei: NDArray[np.uint8]) -> Path:
    """Images "a" and "b" of 100 × 120 pixels, of which "b" has labels, and "c", which is none."""
    place = tmp_path / "series"
    place.mkdir()
    for name, start in (("a", 0), ("b", 40)):
        tifffile.imwrite(place / f"{name}.tif", nuclei[start : start + 100, :120])
    labels = np.zeros((100, 120), np.uint16)
    labels[10:20, 30:45] = 3
    write_labels(place / "b_label.tiff", labels)
    (place / "c.tif").write_bytes(b"II*\0no image")
    return place


@pytest.fixture
def series(viewer: napari.Viewer, service: ModelService) -> SeriesDock:
    return _add(viewer, service)


def _add(viewer: napari.Viewer, service: ModelService | SlowService) -> SeriesDock:
    dock = SeriesDock(viewer, service)  # type: ignore[arg-type]
    viewer.window.add_dock_widget(dock, name="Series")
    return dock


def _open(dock: SeriesDock, folder: Path, qtbot: QtBot) -> None:
    dock.open_folder(str(folder))
    _wait(dock, qtbot)


def _wait(dock: SeriesDock, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: dock.is_settled, timeout=LONG)


def _go(dock: SeriesDock, button: str, qtbot: QtBot) -> None:
    getattr(dock.list, f"{button}_button").click()
    _wait(dock, qtbot)


def _names(viewer: napari.Viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def _lines(dock: SeriesDock) -> list[str]:
    return [dock.list.list.item(row).text() for row in range(dock.list.list.count())]


def test_the_next_image_takes_the_place_of_the_one_before(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot
) -> None:
    other = viewer.add_points([[5, 5]], name="mine")
    _open(series, folder, qtbot)
    assert _names(viewer) == ["mine", "a"]
    viewer.add_image(np.zeros((100, 120)), name="a flows", metadata={METADATA_KEY: {}})
    viewer.scene.camera.zoom = 3.0
    _go(series, "next", qtbot)
    assert _names(viewer) == ["mine", "b", "b labels"] and other in viewer.layers
    assert viewer.scene.camera.zoom == 3.0
    assert viewer.layers.selection.active is viewer.layers["b labels"]
    _go(series, "next", qtbot)  # the last one cannot be read
    assert series.row == 1
    _go(series, "previous", qtbot)
    assert _names(viewer) == ["mine", "a"]
    assert [line[0] for line in _lines(series)] == ["–", "✓", "✗"]
    assert "c.tif" in _lines(series)[2]


def test_keys_go_through_the_series(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot
) -> None:
    _open(series, folder, qtbot)
    press = viewer.window._qt_viewer._key_map_handler.press_key
    press("Shift-J")
    _wait(series, qtbot)
    assert series.row == 1
    press("Shift-K")
    _wait(series, qtbot)
    assert series.row == 0


def _paint(labels: Labels) -> None:
    labels.selected_label = 9
    labels.paint((60, 60), 9)


def test_corrections_are_on_the_disk_when_the_next_image_comes(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot
) -> None:
    _open(series, folder, qtbot)
    _go(series, "next", qtbot)
    _paint(viewer.layers["b labels"])
    _go(series, "previous", qtbot)
    assert read_label_image(folder / "b_label.tiff").data[60, 60] == 9
    assert _lines(series)[1] == "✎  b  (corrected)"
    _go(series, "next", qtbot)
    assert viewer.layers["b labels"].data[60, 60] == 9


def test_corrections_are_saved_by_themselves_and_undone(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot
) -> None:
    _open(series, folder, qtbot)
    _go(series, "next", qtbot)
    labels = viewer.layers["b labels"]
    _paint(labels)
    _wait(series, qtbot)
    assert read_label_image(folder / "b_label.tiff").data[60, 60] == 9
    labels.undo()
    _wait(series, qtbot)
    assert read_label_image(folder / "b_label.tiff").data[60, 60] == 0


def test_labels_that_are_removed_are_saved_before(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot
) -> None:
    _open(series, folder, qtbot)
    _go(series, "next", qtbot)
    labels = viewer.layers["b labels"]
    _paint(labels)
    viewer.layers.remove(labels)
    _wait(series, qtbot)
    assert read_label_image(folder / "b_label.tiff").data[60, 60] == 9


@pytest.mark.parametrize("closed", ["dock", "viewer"])
def test_closing_saves_what_was_drawn_a_moment_ago(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot, closed: str
) -> None:
    _open(series, folder, qtbot)
    _go(series, "next", qtbot)
    _paint(viewer.layers["b labels"])
    if closed == "dock":
        viewer.window.remove_dock_widget(series)
    else:
        viewer.close()
    assert read_label_image(folder / "b_label.tiff").data[60, 60] == 9


def test_what_cannot_be_saved_is_said_and_tried_again(
    series: SeriesDock,
    viewer: napari.Viewer,
    folder: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _open(series, folder, qtbot)
    _go(series, "next", qtbot)
    blocked = folder / "b_label.tiff"
    kept = blocked.read_bytes()
    blocked.unlink()
    blocked.mkdir()
    _paint(viewer.layers["b labels"])
    with qtbot.waitSignal(series.visit.lost, timeout=LONG):
        series.show_previous()
    blocked.rmdir()
    blocked.write_bytes(kept)
    viewer.window.remove_dock_widget(series)
    assert read_label_image(blocked).data[60, 60] == 9


def test_new_labels_become_those_of_an_image_without_any(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot
) -> None:
    _open(series, folder, qtbot)
    found = np.zeros((100, 120), np.uint32)
    found[5:9, 5:9] = 1
    record = {"request": {"model": "m"}}
    flows = np.arange(24_000, dtype=np.float32).reshape(2, 100, 120)
    result = Segmentation(found, flows, np.zeros((100, 120), np.float32))
    labels = viewer.add_labels(found, name="a labels", metadata={METADATA_KEY: record})
    remember_segmentation(labels, result)
    _wait(series, qtbot)
    np.testing.assert_array_equal(read_outputs(read_image(folder / "a_flows.tiff"))[0], flows)
    np.testing.assert_array_equal(read_label_image(folder / "a_label.tiff").data, found)
    note = json.loads((folder / "a_label.tiff.provenance.json").read_text(encoding="utf-8"))
    assert note == record
    assert _lines(series)[0] == "✓  a  (segmented)"
    other = viewer.add_labels(found * 2, name="again", metadata={METADATA_KEY: record})
    assert "'again' is not saved" in series.panel.message.text()
    viewer.layers.selection.active = other
    series.take_button.click()
    _go(series, "next", qtbot)
    assert read_label_image(folder / "a_label.tiff").data.max() == 2
    assert _names(viewer) == ["b", "b labels"]


def test_decisions_go_beside_the_labels_and_into_the_list(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot
) -> None:
    _open(series, folder, qtbot)
    _go(series, "next", qtbot)
    keeper = DecisionKeeper(series)
    keeper.follow(viewer.layers["b labels"])
    keeper.decide({ObjectKey(3): Decision.ACCEPTED})
    keeper.close()
    assert (folder / "b_label.tiff.review.json").exists()
    _go(series, "previous", qtbot)
    assert _lines(series)[1] == "✔  b  (segmented, 1 object decided)"


def test_all_are_segmented_as_the_segment_dock_says_and_measured(
    series: SeriesDock,
    viewer: napari.Viewer,
    folder: Path,
    qtbot: QtBot,
    finding_model: Path,
    dock: SegmentDock,
) -> None:
    _open(series, folder, qtbot)
    dock.form.change(min_size=40)
    assert "1 image to segment" in settle(series, qtbot)
    outcome = run(series, qtbot)
    _wait(series, qtbot)
    assert outcome.error is None
    count = int(read_label_image(folder / "a_label.tiff").data.max())
    assert _lines(series)[0] == f"✓  a  ({count} objects)"
    assert _names(viewer) == ["a", "a labels"], "the image on display gets its labels"
    file = layer_file(viewer.layers["a labels"])
    assert file is not None and find_outputs(file) == folder / "a_flows.tiff", "as editing looks"
    note = json.loads((folder / "a_label.tiff.provenance.json").read_text(encoding="utf-8"))
    assert note["request"]["min_size"] == 40
    with qtbot.waitSignal(series.done, timeout=LONG):
        series.measure_all(str(folder / "all.csv"))
    lines = (folder / "all.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + count + 1, "those of both images"
    assert f"Measured {count + 1} objects of 2 images" in series.panel.message.text()


@pytest.mark.parametrize(
    ("typed", "kind", "written"),
    [
        ("objects.csv", "Parquet (*.parquet)", "objects.parquet"),
        ("all", "Parquet (*.parquet)", "all.parquet"),
        ("all.parquet", "CSV (*.csv)", "all.csv"),
        ("day 1.2", "CSV (*.csv)", "day 1.2.csv"),
        ("objects.csv", "CSV (*.csv)", "objects.csv"),
    ],
)
def test_the_chosen_type_of_a_table_wins_over_the_proposed_ending(
    series: SeriesDock,
    folder: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    kind: str,
    written: str,
) -> None:
    _open(series, folder, qtbot)
    answer = (str(folder / typed), kind)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)
    asked: list[MeasureSeriesRequest] = []
    monkeypatch.setattr(series.controller, "start", lambda request, *_, **__: asked.append(request))
    series.measure_all()
    assert [request.path for request in asked] == [folder / written]
    (folder / written).touch()
    series.measure_all()
    if typed == written:
        assert len(asked) == 2, "the dialog has asked whether it may be replaced"
    else:
        assert len(asked) == 1
        assert f"{written} exists already" in series.panel.message.text()


def test_a_run_is_cancelled_between_two_images(
    viewer: napari.Viewer, slow_service: SlowService, folder: Path, qtbot: QtBot
) -> None:
    dock = _add(viewer, slow_service)
    _open(dock, folder, qtbot)
    settle(dock, qtbot)
    dock.panel.run_button.click()
    dock.panel.cancel_button.click()
    slow_service.gate.set()
    _wait(dock, qtbot)
    assert not (folder / "a_label.tiff").exists()
    assert _lines(dock)[0] == "–  a  (not segmented)"
    assert dock.panel.run_button.isEnabled(), "what is not done can be done"


def test_selected_layers_become_a_series(
    series: SeriesDock, viewer: napari.Viewer, folder: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    labels = np.zeros((20, 30), np.uint8)
    labels[3:6, 3:6] = 4
    one = viewer.add_image(pixels, name="one", scale=(0.5, 0.5), units=("um", "um"))
    two = viewer.add_image(pixels[::-1].copy(), name="two")
    of_two = viewer.add_labels(labels, name="two labels")
    viewer.layers.selection = {one, two, of_two}
    place = tmp_path / "new"
    place.mkdir()
    series.collect_layers(str(place))
    _wait(series, qtbot)
    assert [line.split("  ")[1] for line in _lines(series)] == ["one", "two"]
    np.testing.assert_array_equal(read_label_image(place / "two_label.tiff").data, labels)
    assert read_label_image(place / "one.ome.tif").voxel_size == (1.0, 0.5, 0.5)
    viewer.layers.selection = {two}
    series.collect_layers(str(place))
    _wait(series, qtbot)
    assert "exists already" in series.panel.message.text()
