"""Objects measured in a real viewer: features, the table and files."""

from __future__ import annotations

import csv
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import run, settle
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_ssp.io import read_image
from napari_ssp.measure import measure_objects
from napari_ssp.service import JobState
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.measure.object_table import KINDS, as_features, from_features

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.measure.object_table import FileKind


@pytest.fixture
def measure_dock(viewer: napari.Viewer) -> MeasureDock:
    dock = MeasureDock(viewer)
    viewer.window.add_dock_widget(dock, name="Measure objects")
    return dock


@pytest.fixture
def squares(viewer: napari.Viewer, nuclei: NDArray[np.uint8]) -> Labels:
    """Labels 2 and 5 on the image 'nuclei' with pixels of 0.5 µm."""
    place: dict[str, Any] = {"scale": (0.5, 0.5), "units": ("um", "um")}
    viewer.add_image(nuclei, name="nuclei", **place)
    labels = np.zeros(nuclei.shape, np.uint32)
    labels[10:20, 30:50] = 2
    labels[60:70, 80:90] = 5
    return viewer.add_labels(labels, name="cells", **place)


def _answer(monkeypatch: pytest.MonkeyPatch, path: Path | str) -> None:
    answer = lambda *_: (str(path), "")  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getSaveFileName", staticmethod(answer))


def _save(
    dock: MeasureDock, kind: FileKind, path: Path | str, qtbot: QtBot, patch: pytest.MonkeyPatch
) -> Any:
    _answer(patch, path)
    with qtbot.waitSignal(dock.done, timeout=30_000) as done:
        dock.save(kind)
    return done.args[0]


def test_objects_get_their_features(
    viewer: napari.Viewer,
    measure_dock: MeasureDock,
    squares: Labels,
    nuclei: NDArray[np.uint8],
    qtbot: QtBot,
) -> None:
    assert measure_dock.labels_box.value() is squares
    assert measure_dock.image_list.value() == ("nuclei",)
    assert settle(measure_dock, qtbot) == "200 × 160 px, sizes and shapes, intensities in 1 channel"
    assert not measure_dock.save_button.isEnabled()
    run(measure_dock, qtbot)
    features = squares.features
    assert features["index"].tolist() == [2, 5]
    assert features["area_um2"].tolist() == [50.0, 25.0]
    assert features["mean_nuclei"][0] == pytest.approx(nuclei[10:20, 30:50].mean())
    assert list(features)[1:3] == ["area_um2", "mean_nuclei"]
    assert "Measured 2 objects" in measure_dock.panel.message.text()
    status = squares._get_properties((5.0, 20.0), world=True)
    assert status[0] == "area_um2: 50"
    assert measure_dock.save_button.isEnabled()


def test_several_images_and_none(
    viewer: napari.Viewer,
    measure_dock: MeasureDock,
    squares: Labels,
    nuclei: NDArray[np.uint8],
    qtbot: QtBot,
) -> None:
    same: dict[str, Any] = {"scale": (0.5, 0.5), "units": ("um", "um")}
    viewer.add_image(np.dstack([nuclei] * 3), name="colours", **same)
    two = viewer.add_image(np.stack([nuclei, 2 * (nuclei // 4)]), name="two", scale=(1, 0.5, 0.5))
    two.axis_labels = ("c", "y", "x")
    measure_dock.image_list.set_value(("nuclei", "colours", "two"))
    assert "intensities in 6 channels" in settle(measure_dock, qtbot)
    run(measure_dock, qtbot)
    columns = {"mean_nuclei", "mean_red", "mean_blue", "mean_two_0", "mean_two_1"}
    assert columns <= set(squares.features)
    np.testing.assert_allclose(squares.features["mean_two_0"], squares.features["mean_nuclei"])
    measure_dock.image_list.set_value(())
    assert "no intensities" in settle(measure_dock, qtbot)
    run(measure_dock, qtbot)
    assert not [name for name in squares.features if name.startswith("mean_")]


def test_labels_of_a_region_are_measured_where_they_lie(
    viewer: napari.Viewer, measure_dock: MeasureDock, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> None:
    viewer.add_image(np.stack([0 * nuclei, nuclei]), name="stack")
    labels = viewer.add_labels(np.ones((1, 10, 10), int), name="part", translate=(1, 20, 40))
    assert measure_dock.image_list.value() == ("stack",)
    run(measure_dock, qtbot)
    assert "No pixel size is known" in measure_dock.panel.warnings.text()
    expected = nuclei[20:30, 40:50].mean()
    assert labels.features["mean_stack"].tolist() == [pytest.approx(expected)]


def test_stacks_can_be_measured_plane_by_plane(
    viewer: napari.Viewer, measure_dock: MeasureDock, qtbot: QtBot
) -> None:
    assert measure_dock.planewise.isHidden()
    labels = viewer.add_labels(np.ones((3, 6, 6), int), name="stack")
    settle(measure_dock, qtbot)
    assert not measure_dock.planewise.isHidden()
    run(measure_dock, qtbot)
    assert labels.features["volume_px3"].tolist() == [108.0]
    measure_dock.planewise.setChecked(True)
    run(measure_dock, qtbot)
    assert labels.features["z"].tolist() == [0, 1, 2]
    assert "3 rows" in measure_dock.panel.message.text()


def test_what_cannot_be_measured_is_said(
    viewer: napari.Viewer, measure_dock: MeasureDock, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> None:
    assert "There are no labels to measure" in settle(measure_dock, qtbot)
    assert not measure_dock.export_button.isEnabled()
    viewer.add_image(nuclei[:50], name="other")
    viewer.add_labels(np.ones(nuclei.shape, int), name="cells")
    assert measure_dock.image_list.value() == ()
    measure_dock.image_list.set_value(("other",))
    assert "'cells' reaches beyond 'other' along y" in settle(measure_dock, qtbot)
    assert not measure_dock.panel.run_button.isEnabled()
    viewer.layers.remove("other")
    settle(measure_dock, qtbot)
    assert measure_dock.panel.run_button.isEnabled()


def test_labels_without_objects_give_an_empty_table(
    viewer: napari.Viewer, measure_dock: MeasureDock, qtbot: QtBot
) -> None:
    labels = viewer.add_labels(np.zeros((8, 8), int), name="none")
    assert run(measure_dock, qtbot).state is JobState.DONE
    assert len(labels.features) == 0
    assert "Measured 0 objects" in measure_dock.panel.message.text()


def test_the_table_is_saved(
    measure_dock: MeasureDock,
    squares: Labels,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(measure_dock, qtbot)
    _answer(monkeypatch, tmp_path / "cells")
    with qtbot.waitSignal(measure_dock.done, timeout=30_000):
        measure_dock.save_button.click()
    with (tmp_path / "cells.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["2", "5"]
    assert [float(row["area_um2"]) for row in rows] == [50.0, 25.0]
    assert "index" not in rows[0]
    assert str(tmp_path / "cells.csv") in measure_dock.panel.message.text()


def test_objects_are_exported(
    measure_dock: MeasureDock,
    squares: Labels,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(measure_dock, qtbot)
    for kind in KINDS:
        outcome = _save(measure_dock, kind, tmp_path / f"cells{kind.suffix}", qtbot, monkeypatch)
        assert outcome.state is JobState.DONE, outcome.error
    names = zipfile.ZipFile(tmp_path / "cells.zip").namelist()
    assert sorted(names) == ["2.roi", "5.roi"]
    features = json.loads((tmp_path / "cells.geojson").read_text())["features"]
    assert [feature["properties"]["measurements"]["area_um2"] for feature in features] == [50, 25]
    image = read_image(tmp_path / "cells.ome.tif")
    np.testing.assert_array_equal(image.plane(), squares.data)
    assert image.voxel_size is not None
    assert image.voxel_size[1:] == pytest.approx((0.5, 0.5))
    np.testing.assert_array_equal(read_image(tmp_path / "cells.ome.zarr").plane(), squares.data)


def test_a_dismissed_dialog_and_a_missing_folder(
    measure_dock: MeasureDock,
    squares: Labels,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle(measure_dock, qtbot)
    _answer(monkeypatch, "")
    measure_dock.save(KINDS[0])
    assert measure_dock.panel.run_button.isEnabled()
    outcome = _save(measure_dock, KINDS[0], tmp_path / "no" / "a.zip", qtbot, monkeypatch)
    assert outcome.state is JobState.FAILED
    assert notification_manager.records[-1].message.startswith("Saving failed: ")
    text = measure_dock.panel.message.text()
    assert str(tmp_path / "no") in text
    assert "Traceback" not in text


def test_a_longer_name_does_not_replace_a_file_unasked(
    measure_dock: MeasureDock,
    squares: Labels,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "a.zip").write_text("mine")
    outcome = _save(measure_dock, KINDS[0], tmp_path / "a", qtbot, monkeypatch)
    assert outcome.state is JobState.FAILED
    assert (tmp_path / "a.zip").read_text() == "mine"
    _save(measure_dock, KINDS[0], tmp_path / "a.zip", qtbot, monkeypatch)
    assert zipfile.is_zipfile(tmp_path / "a.zip")


def test_features_and_tables_go_round(nuclei: NDArray[np.uint8]) -> None:
    import pandas as pd

    table = measure_objects((nuclei > 60).astype(int))
    again = from_features(pd.DataFrame(as_features(table)))
    assert set(again) == set(table)
    for name, column in table.items():
        np.testing.assert_array_equal(again[name], column)


def test_an_image_as_labels_is_asked_about(
    viewer: napari.Viewer,
    measure_dock: MeasureDock,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grey = np.random.default_rng(0).poisson(200, (120, 120))
    layer = viewer.add_labels(grey, name="grey")
    asked: list[str] = []
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]

    def question(*words: Any) -> Any:
        asked.append(words[2])
        return answers[len(asked) - 1]

    monkeypatch.setattr(QMessageBox, "question", staticmethod(question))
    settle(measure_dock, qtbot)
    assert run(measure_dock, qtbot).state is JobState.FAILED
    assert "looks like an image" in asked[0]
    assert not len(layer.features)
    assert run(measure_dock, qtbot).state is JobState.DONE
    assert len(layer.features) == np.unique(grey[grey > 0]).size
