"""Objects that get classes by keys and clicks in a real viewer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, Hand
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_ssp.registry import data_folder
from napari_ssp.service import Segmentation, Tool
from napari_ssp.service.classes.files import read_examples
from napari_ssp.service.review.decisions import ObjectKey
from napari_ssp.widgets.classes.dock import ClassesDock
from napari_ssp.widgets.edit.dock import EditDock
from napari_ssp.widgets.layers.object_classes import class_colors, wrong_objects
from napari_ssp.widgets.layers.result_layers import ResultLayers
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.measure.object_table import KINDS
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.results import prepare

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

TRUE = ["cell" if i % 3 else "debris" for i in range(25)]


def _squares() -> NDArray[np.uint16]:
    labels = np.zeros((100, 100), np.uint16)
    for i, name in enumerate(TRUE):
        size = (12 if name == "cell" else 5) + i % 3
        y, x = 20 * (i // 5), 20 * (i % 5)
        labels[y : y + size, x : x + size] = i + 1
    return labels


def _middle(label: int) -> tuple[float, float]:
    return 20 * ((label - 1) // 5) + 2, 20 * ((label - 1) % 5) + 2


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "user"))


@pytest.fixture
def cells(viewer: napari.Viewer) -> Labels:
    place: dict[str, Any] = {"scale": (0.5, 0.5), "units": ("um", "um")}
    viewer.add_image(np.random.default_rng(0).normal(100, 9, (100, 100)), name="grey", **place)
    labels: Labels = viewer.add_labels(_squares(), name="cells", **place)
    viewer.reset_view()
    return labels


def _open(viewer: napari.Viewer) -> ClassesDock:
    dock = ClassesDock(viewer)
    viewer.window.add_dock_widget(dock, name="Classify objects")
    return dock


def _press(viewer: napari.Viewer, key: str) -> None:
    viewer.window._qt_viewer._key_map_handler.press_key(key)


def _point(viewer: napari.Viewer, layer: Labels, *index: float) -> None:
    viewer.cursor.position = tuple(layer.data_to_world(index))


def _settle(dock: ClassesDock, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: dock.is_settled, timeout=LONG)


def _teach(dock: ClassesDock, viewer: napari.Viewer, layer: Labels, count: int = 6) -> None:
    dock.panel.give_button.setChecked(True)
    for label in range(1, count + 1):
        _point(viewer, layer, *_middle(label))
        _press(viewer, "1" if TRUE[label - 1] == "cell" else "2")


def test_keys_and_clicks_teach_and_the_rest_is_predicted(
    viewer: napari.Viewer, cells: Labels, qtbot: QtBot
) -> None:
    dock, own = _open(viewer), cells.colormap
    _settle(dock, qtbot)
    assert not (data_folder() / "classes").exists(), "nothing was said yet"
    assert dock.image_box.value() is viewer.layers["grey"]
    _teach(dock, viewer, cells, 5)
    dock.panel.list.choose("cell")
    Hand(viewer, cells).draw(_middle(6))
    assert dock.examples.given == {ObjectKey(i + 1): TRUE[i] for i in range(6)}
    assert cells.mode == "pan_zoom"
    _settle(dock, qtbot)

    assert cells.features["class"].tolist() == TRUE
    assert cells.features["class_given"].tolist() == [1] * 6 + [0] * 19
    assert {"area_um2", "mean_intensity"} <= set(cells.features)
    assert "16 cell, 9 debris (from 6 examples)" in dock.panel.message.text()
    assert "Too few examples to say how good" in dock.panel.message.text()
    rgb = class_colors(cells)
    shown = {label: cells.colormap.map(np.array([label]))[0] for label in (1, 25, 24)}
    assert [round(255 * c) for c in shown[25][:3]] == list(bytes.fromhex(rgb[TRUE[24]][1:]))
    assert shown[1][3] == 1 > shown[25][3], "examples stand out"
    assert not np.allclose(shown[25][:3], shown[24][:3])
    dock.panel.colour_box.setChecked(False)
    assert cells.colormap is own
    assert set(wrong_objects(cells)) == {
        ObjectKey(i + 1) for i, name in enumerate(TRUE) if name == "debris"
    }

    dock.undo()
    assert ObjectKey(6) not in dock.examples.given
    _settle(dock, qtbot)
    (kept,) = (data_folder() / "classes").iterdir()
    assert read_examples(kept).given == {ObjectKey(i + 1): TRUE[i] for i in range(5)}
    assert json.loads(kept.read_text())["examples"][0]["values"]["area_um2"] == 6.25

    viewer.window.remove_dock_widget(dock)
    again = _open(viewer)
    qtbot.waitUntil(lambda: len(again.examples.rows) == 5, timeout=LONG)
    _settle(again, qtbot)


def test_examples_do_not_go_over_to_other_objects_of_another_run(
    viewer: napari.Viewer, cells: Labels, qtbot: QtBot
) -> None:
    image, results = viewer.layers["grey"], ResultLayers(viewer)

    def show(labels: NDArray[np.uint16]) -> None:
        shape, data = labels.shape, labels.astype(np.uint32)
        found = Segmentation(data, np.zeros((2, *shape), np.float32), np.ones(shape, np.float32))
        results.show(prepare(found, SegmentChoices()), image)

    show(_squares())
    shown = viewer.layers["grey labels"]
    viewer.layers.selection.active = shown
    viewer.layers.remove(cells)
    dock = _open(viewer)
    _teach(dock, viewer, shown)
    _settle(dock, qtbot)
    assert len(dock.examples.given) == 6
    other = _squares()
    other[other == 1], other[95:, 95:] = 0, 1
    show(other)
    assert set(dock.examples.given) == {ObjectKey(n) for n in range(2, 7)}
    assert len(dock.examples.rows) == 6, "what was measured of it goes on teaching"
    assert not dock.panel.undo_button.isEnabled()
    _settle(dock, qtbot)
    assert "(from 6 examples)" in dock.panel.message.text()
    given = dict(zip(shown.features["index"], shown.features["class_given"], strict=True))
    assert (given[1], given[2]) == (0, 1)


def test_digits_are_those_of_classes_only_while_they_are_given(
    viewer: napari.Viewer, cells: Labels, qtbot: QtBot
) -> None:
    dock, edit = _open(viewer), EditDock(viewer)
    viewer.window.add_dock_widget(edit, name="Edit objects")
    viewer.layers.selection.active = cells
    _point(viewer, cells, *_middle(3))
    _press(viewer, "2")
    assert cells.mode == "paint", "napari's own key"
    dock.panel.give_button.setChecked(True)
    assert cells.mode == "pan_zoom"
    viewer.layers.selection.active = viewer.layers["grey"]
    _press(viewer, "2")
    assert dock.examples.given == {ObjectKey(3): "debris"}
    viewer.layers.selection.active = cells
    _point(viewer, cells, 99, 99)
    _press(viewer, "1")
    assert "no object of 'cells' here" in dock.panel.message.text()
    _press(viewer, "7")
    assert "no class 7" in dock.panel.message.text()
    edit.toggle(Tool.REMOVE)
    assert not dock.panel.give_button.isChecked()
    Hand(viewer, cells).draw(_middle(2))
    qtbot.waitUntil(lambda: edit.editing.is_settled, timeout=LONG)
    assert dock.examples.given == {ObjectKey(3): "debris"}
    dock.panel.give_button.setChecked(True)
    assert edit.panel.tool() is None
    cells.mode = "erase"
    assert not dock.panel.give_button.isChecked()
    _press(viewer, "2")
    assert cells.mode == "paint"
    _settle(dock, qtbot)
    assert 2 not in cells.features["index"].to_numpy(), "measured after the edit"


def test_the_next_image_begins_with_what_was_learnt(
    viewer: napari.Viewer, cells: Labels, qtbot: QtBot
) -> None:
    dock = _open(viewer)
    _teach(dock, viewer, cells)
    _settle(dock, qtbot)
    place: dict[str, Any] = {"scale": cells.scale, "units": cells.units}
    following = viewer.add_labels(np.flip(_squares(), 1).copy(), name="next", **place)
    assert dock.labels_box.value() is following
    _settle(dock, qtbot)
    assert following.features["class"].tolist() == TRUE
    assert following.features["class_given"].sum() == 0
    _point(viewer, following, 2, 97)
    _press(viewer, "2")
    assert dock.examples.given == {ObjectKey(1): "debris"}
    assert len(dock.examples.rows) == 7
    dock.panel.give_button.setChecked(False)
    other = viewer.add_labels(np.flip(_squares(), 0).copy(), name="nuclei", **place)
    _settle(dock, qtbot)
    assert "class" not in other.features, "no one asked for that"
    assert [each.name for each in dock.examples.classes] == ["cell", "debris"]
    kept = min(
        (data_folder() / "classes").iterdir(), key=lambda path: len(read_examples(path).rows)
    )
    dock.learn(kept)
    qtbot.waitUntil(lambda: len(dock.examples.rows) == 6, timeout=LONG)
    _settle(dock, qtbot)
    assert dock.examples.given == {}, "those of another image only teach"
    assert other.features["class"].value_counts().to_dict() == {"cell": 16, "debris": 9}
    kept.write_text("{}")
    dock.learn(kept)
    qtbot.waitUntil(lambda: "holds no examples" in dock.panel.message.text(), timeout=LONG)


def test_closing_keeps_what_was_said_a_moment_ago(
    viewer: napari.Viewer, cells: Labels, qtbot: QtBot
) -> None:
    dock, own = _open(viewer), cells.colormap
    _teach(dock, viewer, cells)
    assert not dock.is_settled
    viewer.window.remove_dock_widget(dock)
    (kept,) = (data_folder() / "classes").iterdir()
    assert len(read_examples(kept).given) == 6
    assert cells.colormap is own
    _press(viewer, "2")
    assert cells.mode == "paint", "napari's keys are back"


def test_the_list_renames_colours_and_removes(
    viewer: napari.Viewer, cells: Labels, qtbot: QtBot
) -> None:
    dock = _open(viewer)
    _teach(dock, viewer, cells)
    table = dock.panel.list.table
    table.item(0, 1).setText("mitotic")
    assert dock.examples.count() == {"mitotic": 4, "debris": 2}
    table.item(0, 2).setCheckState(Qt.CheckState.Checked)
    dock.panel.list.choose_color("#123456")
    assert dock.examples.classes[0].is_wrong
    assert dock.examples.classes[0].color == "#123456"
    table.item(1, 1).setText("mitotic")
    assert "There is a class 'mitotic' already" in dock.panel.message.text()
    assert table.item(1, 1).text() == "debris"
    table.item(1, 1).setText("  ")
    assert table.item(1, 1).text() == "debris"
    dock.panel.list.add_button.click()
    assert [each.name for each in dock.examples.classes] == ["mitotic", "debris", "class 3"]
    dock.panel.list.remove_button.click()
    dock.panel.list.choose("debris")
    dock.panel.list.remove_button.click()
    assert dock.examples.count() == {"mitotic": 4}
    assert table.rowCount() == 1
    dock.undo()
    _settle(dock, qtbot)
    assert set(cells.features["class"]) == {"mitotic", "debris"}
    assert [table.item(row, 4).text() for row in range(2)] == ["16", "9"]


def test_frames_have_objects_of_their_own(viewer: napari.Viewer, qtbot: QtBot) -> None:
    labels = np.stack([_squares(), np.flip(_squares(), (0, 1))])
    labels[1][labels[1] > 0] = 26 - labels[1][labels[1] > 0]  # another object of the same id
    movie: Labels = viewer.add_labels(labels, name="movie", axis_labels=("t", "y", "x"))
    dock = _open(viewer)
    dock.panel.give_button.setChecked(True)
    viewer.dims.set_point(0, 0)
    for label in range(1, 7):
        _point(viewer, movie, 0, *_middle(label))
        _press(viewer, "1" if TRUE[label - 1] == "cell" else "2")
    viewer.dims.set_point(0, 1)
    _point(viewer, movie, 1, 97, 97)
    _press(viewer, "2")
    assert ObjectKey(25, t=1) in dock.examples.given
    _settle(dock, qtbot)
    features = movie.features
    second = features[features["t"] == 1].set_index("index")["class"]
    size = np.bincount(labels[1].ravel())
    assert {name for label, name in second.items() if size[label] < 60} == {"debris"}
    assert {name for label, name in second.items() if size[label] > 100} == {"cell"}
    here = movie.colormap.map(np.array([1]))[0]
    viewer.dims.set_point(0, 0)
    there = movie.colormap.map(np.array([1]))[0]
    assert not np.allclose(here, there), "object 1 is of different classes in the two frames"


def test_measuring_again_and_saving_keep_what_was_said(
    viewer: napari.Viewer,
    cells: Labels,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dock, measure = _open(viewer), MeasureDock(viewer)
    viewer.window.add_dock_widget(measure, name="Measure objects")
    _teach(dock, viewer, cells)
    _settle(dock, qtbot)
    with qtbot.waitSignal(measure.done, timeout=LONG):
        measure.run()
    assert cells.features["class"].tolist() == TRUE
    assert "mean_grey" in cells.features
    path = tmp_path / "cells.geojson"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    with qtbot.waitSignal(measure.done, timeout=LONG):
        measure.save(next(kind for kind in KINDS if kind.suffix == path.suffix))
    known = [each["properties"] for each in json.loads(path.read_text())["features"]]
    assert [each["classification"]["name"] for each in known] == TRUE
    assert known[0]["classification"]["color"] == [0xE6, 0x9F, 0x00]
    assert known[0]["measurements"]["class_given"] == 1
    _settle(dock, qtbot)
