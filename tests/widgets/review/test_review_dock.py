"""Labels reviewed in a real viewer: error map, list, decisions, and where they lead."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
from dock_driver import LONG, run, settle
from qtpy.QtCore import Qt

import napari_ssp as ssp
from napari_ssp.flows import labels_to_flows
from napari_ssp.io import write_image, write_labels
from napari_ssp.metrics import ConformalCalibration
from napari_ssp.registry import cache_folder, find_card
from napari_ssp.service import JobState, Segmentation
from napari_ssp.service.classes.examples import ObjectClass
from napari_ssp.service.review.calibrating import write_calibration
from napari_ssp.service.review.decisions import Decision, ObjectKey
from napari_ssp.widgets.layers.object_classes import remember_classes
from napari_ssp.widgets.layers.result_layers import ResultLayers
from napari_ssp.widgets.layers.shown_segmentations import remember_segmentation
from napari_ssp.widgets.review.dock import ReviewDock
from napari_ssp.widgets.review.error_layer import features_with_errors
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.results import prepare
from napari_ssp.widgets.train.dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from dock_driver import SlowService
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService

PLACE: dict[str, Any] = {"scale": (0.5, 0.5), "translate": (3.0, 4.0), "units": ("um", "um")}


@pytest.fixture(autouse=True)
def _critic(tiny_critic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny critic, installed as a user's own; decisions go to a folder of the test."""
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "user"))
    shutil.copytree(tiny_critic, cache_folder() / "models" / "tiny-critic")


@pytest.fixture
def squares(viewer: napari.Viewer, nuclei: NDArray[np.uint8]) -> Labels:
    """Labels 7, 5 and 2, from the smallest to the largest, on the image 'nuclei'."""
    viewer.add_image(nuclei, name="nuclei", **PLACE)
    return viewer.add_labels(_squares(nuclei.shape), name="cells", **PLACE)


def _squares(shape: tuple[int, ...]) -> NDArray[np.uint32]:
    labels = np.zeros(shape, np.uint32)
    labels[10:40, 30:60] = 2
    labels[60:80, 80:100] = 5
    labels[100:110, 150:160] = 7
    return labels


@pytest.fixture
def review_dock(viewer: napari.Viewer, squares: Labels, service: ModelService) -> ReviewDock:
    return _open(viewer, service)


def _open(viewer: napari.Viewer, service: Any) -> ReviewDock:
    dock = ReviewDock(viewer, service)
    viewer.window.add_dock_widget(dock, name="Review")
    dock.choose_model("tiny-critic")
    return dock


def _column(dock: ReviewDock, name: str) -> list[str]:
    model = dock.list.model
    headers = [model.headerData(c, Qt.Orientation.Horizontal) for c in range(model.columnCount())]
    return [model.data(model.index(r, headers.index(name))) for r in range(model.rowCount())]


def test_a_review_is_shown(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot, tiny_critic: Path
) -> None:
    assert "200 × 160 px, by tiny-critic" in settle(review_dock, qtbot)
    run(review_dock, qtbot)
    direct = ssp.review(viewer.layers["nuclei"].data, squares.data, str(tiny_critic))
    layer = viewer.layers["cells error map"]
    np.testing.assert_array_equal(layer.data, direct.error_map)
    none, some, most = layer.colormap.map(np.array([0.0, 0.25, 1.0]))
    assert none[3] == 0, "where nothing is wrong the image is seen"
    assert 0.4 < some[3] < most[3] < 1
    assert layer.blending == "translucent_no_depth", "seen on bright images, too"
    assert tuple(layer.contrast_limits) == (0.0, 1.0)
    assert layer.colorbar.visible
    assert np.allclose(layer.scale, squares.scale)
    assert np.allclose(layer.translate, squares.translate)
    assert viewer.layers.selection.active is squares
    errors = dict(zip(direct.table["label"], direct.table["predicted_error"], strict=True))
    assert squares.features["index"].tolist() == [2, 5, 7]
    assert squares.features["predicted_error"].tolist() == [errors[n] for n in (2, 5, 7)]
    assert _column(review_dock, "object") == ["7", "5", "2"]
    assert _column(review_dock, "error") == [f"{errors[n]:.2f}" for n in (7, 5, 2)]
    message = review_dock.panel.message.text()
    assert f"predicted error {direct.image_error:.2f} (0 is perfect" in message
    assert "not a measurement" in message


def test_flows_of_the_segmentation_on_show_are_compared(
    viewer: napari.Viewer,
    review_dock: ReviewDock,
    squares: Labels,
    qtbot: QtBot,
    comparing_critic: Path,
) -> None:
    shutil.copytree(comparing_critic, cache_folder() / "models" / "comparing-critic")
    sure = np.where(squares.data == 2, 0.2, 0.9).astype(np.float32)
    found = ssp.Segmentation(squares.data, labels_to_flows(squares.data), sure)
    remember_segmentation(squares, found)
    review_dock.choose_model("comparing-critic")
    run(review_dock, qtbot)
    assert _column(review_dock, "object")[0] == "2"
    squares.data = squares.data[:150]  # the flows are no longer those of these pixels
    run(review_dock, qtbot)
    assert _column(review_dock, "error")[0] == _column(review_dock, "error")[-1]


def test_flows_beside_the_file_of_labels_are_compared(
    viewer: napari.Viewer,
    service: ModelService,
    nuclei: NDArray[np.uint8],
    tmp_path: Path,
    qtbot: QtBot,
    comparing_critic: Path,
) -> None:
    shutil.copytree(comparing_critic, cache_folder() / "models" / "comparing-critic")
    labels = _squares(nuclei.shape)
    sure = np.where(labels == 5, 0.2, 0.9)
    outputs = np.stack([*labels_to_flows(labels), sure]).astype(np.float32)
    write_image(tmp_path / "cells_flows.tiff", ssp.MicroscopyImage(outputs, "cyx"))
    viewer.add_image(nuclei, name="nuclei")
    viewer.open(write_labels(tmp_path / "cells_label.tif", labels), plugin="napari-ssp")
    dock = _open(viewer, service)
    dock.choose_model("comparing-critic")
    run(dock, qtbot)
    assert _column(dock, "object")[0] == "5"


def test_features_that_were_measured_stay(
    review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    squares.features = {"index": [2, 5, 7], "area_px2": [900, 400, 100]}
    run(review_dock, qtbot)
    assert list(squares.features) == ["index", "predicted_error", "area_px2"]
    assert squares.features["area_px2"].tolist() == [900, 400, 100]


def test_going_through_the_list_moves_the_camera(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    run(review_dock, qtbot)
    review_dock.list.next_button.click()
    assert squares.selected_label == 7
    assert np.allclose(viewer.scene.camera.center[-2:], [104.5 * 0.5 + 3, 154.5 * 0.5 + 4])
    review_dock.list.next_button.click()
    assert squares.selected_label == 5
    assert np.allclose(viewer.scene.camera.center[-2:], [69.5 * 0.5 + 3, 89.5 * 0.5 + 4])
    review_dock.list.previous_button.click()
    assert squares.selected_label == 7
    assert "selected object" in viewer.layers


def test_keys_decide_and_go_on(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    run(review_dock, qtbot)
    press = viewer.window._qt_viewer._key_map_handler.press_key

    press("J")
    press("Y")
    assert _column(review_dock, "decision") == ["accepted", "", ""]
    assert squares.selected_label == 5
    press("N")
    press("K")
    assert squares.selected_label == 5
    assert review_dock.keeper.decisions == {
        ObjectKey(7): Decision.ACCEPTED,
        ObjectKey(5): Decision.REJECTED,
    }
    assert review_dock.list.note.text() == "Reviewed 2 of 3: 1 accepted, 1 rejected."
    press("Shift-E")
    assert squares.mode == "paint"
    assert viewer.layers.selection.active is squares
    assert review_dock.keeper.decisions[ObjectKey(5)] is Decision.EDITED


def test_decisions_survive_a_restart(
    viewer: napari.Viewer,
    make_napari_viewer: Callable[..., napari.Viewer],
    service: ModelService,
    nuclei: NDArray[np.uint8],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    path = write_labels(tmp_path / "cells_label.tif", _squares(nuclei.shape))
    viewer.add_image(nuclei, name="nuclei")
    viewer.open(path, plugin="napari-ssp")
    dock = _open(viewer, service)
    run(dock, qtbot)
    dock.show_next()
    dock.accept()
    viewer.window.remove_dock_widget(dock)  # before the pause is over
    content = json.loads((tmp_path / "cells_label.tif.review.json").read_text(encoding="utf-8"))
    assert content["decisions"] == [{"label": 7, "t": 0, "z": 0, "decision": "accepted"}]
    second = make_napari_viewer()
    second.add_image(nuclei, name="nuclei")
    second.open(path, plugin="napari-ssp")
    again = _open(second, service)
    qtbot.waitUntil(lambda: again.keeper.is_settled, timeout=LONG)
    run(again, qtbot)
    assert _column(again, "decision") == ["accepted", "", ""]


def test_labels_that_were_drawn_in_are_known_again(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    run(review_dock, qtbot)
    review_dock.show_next()
    with qtbot.waitSignal(review_dock.keeper.kept, timeout=LONG):
        review_dock.reject()
    with qtbot.waitSignal(review_dock.keeper.kept, timeout=LONG):
        squares.paint((20, 100), 9)
    other = viewer.add_labels(np.array(squares.data, np.int64), name="other", **PLACE)
    review_dock.labels_box.set_value(other)
    qtbot.waitUntil(lambda: review_dock.keeper.is_settled, timeout=LONG)
    assert review_dock.keeper.decisions == {ObjectKey(7): Decision.REJECTED}


def test_decisions_do_not_go_over_to_other_objects_of_another_run(
    viewer: napari.Viewer, service: ModelService, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> None:
    image = viewer.add_image(nuclei, name="nuclei", **PLACE)
    results, labels = ResultLayers(viewer), _squares(nuclei.shape)

    def show(labels: NDArray[np.uint32]) -> None:
        flows = np.zeros((2, *labels.shape), np.float32)
        found = Segmentation(labels.copy(), flows, (labels > 0).astype(np.float32), "yx")
        results.show(prepare(found, SegmentChoices()), image)

    show(labels)
    shown = viewer.layers["nuclei labels"]
    viewer.layers.selection.active = shown
    dock = _open(viewer, service)
    run(dock, qtbot)
    keys = {number: ObjectKey(number) for number in (7, 5, 2)}
    for number in keys:
        dock.list.choose(_column(dock, "object").index(str(number)))
        dock.accept()
    qtbot.waitUntil(lambda: dock.keeper.is_settled, timeout=LONG)
    other = labels.copy()
    other[60:80, 80:100], other[130:150, 80:100] = 0, 5  # another object
    other[10, 30] = 0
    show(other)
    assert viewer.layers["nuclei labels"] is shown
    assert list(dock.keeper.decisions) == [keys[7]]
    assert dock.list.model.rowCount() == 0
    assert "'nuclei labels' has the labels of another run" in dock.panel.message.text()
    qtbot.waitUntil(lambda: dock.keeper.is_settled, timeout=LONG)
    run(dock, qtbot)
    assert list(dock.keeper.decisions) == [keys[7]]
    dock.close()
    again = _open(viewer, service)  # as they are kept
    qtbot.waitUntil(lambda: again.keeper.is_settled, timeout=LONG)
    assert list(again.keeper.decisions) == [keys[7]]


def test_the_map_of_another_review_lies_on_its_labels(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    run(review_dock, qtbot)
    for layer in (squares, viewer.layers["nuclei"]):
        layer.scale, layer.units = (0.3, 0.3), ("mm", "mm")
    run(review_dock, qtbot)
    shown = viewer.layers["cells error map"]
    np.testing.assert_array_equal(shown.scale, squares.scale)
    assert shown.units == squares.units


def test_labels_of_several_planes(
    viewer: napari.Viewer, service: ModelService, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> None:
    image = np.stack([nuclei, nuclei[::-1]])
    labels = np.stack([_squares(nuclei.shape), np.zeros(nuclei.shape, np.uint32)])
    labels[1, 20:50, 20:50] = 2
    axes: dict[str, Any] = {"axis_labels": ("t", "y", "x")}
    viewer.add_image(image, name="movie", **axes)
    viewer.add_labels(labels, name="cells", **axes)
    dock = _open(viewer, service)
    run(dock, qtbot)
    assert viewer.layers["cells error map"].data.shape == image.shape
    assert _column(dock, "t")[:2] == ["0", "0"]
    dock._go(_column(dock, "t").index("1"))
    assert viewer.dims.current_step[0] == 1
    dock.accept()
    assert dock.keeper.decisions == {ObjectKey(2, 1): Decision.ACCEPTED}


def test_objects_are_accepted_by_calibration(
    review_dock: ReviewDock, tiny_critic: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    run(review_dock, qtbot)
    assert not review_dock.list.accept_all_button.isVisibleTo(review_dock)
    errors = [float(text) for text in _column(review_dock, "error")]
    path, limit = tmp_path / "mine.json", (errors[1] + errors[2]) / 2
    write_calibration(
        path, ConformalCalibration(99, (limit,) * 20), find_card(str(tiny_critic)), ["a"]
    )
    review_dock.form.change(calibration=str(path))
    assert "objects can be accepted" in settle(review_dock, qtbot)
    run(review_dock, qtbot)
    assert review_dock.list.accept_all_button.text() == "Accept 1 objects by calibration"
    assert "exchangeable" in review_dock.list.guarantee.text()
    assert "at most 10% are wrong" in review_dock.list.guarantee.text()
    review_dock.list.accept_all_button.click()
    assert review_dock.keeper.decisions == {ObjectKey(2): Decision.ACCEPTED}


def test_the_worst_region_comes_first(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(review_dock.regions.refused):
        review_dock.next_region_button.click()
    run(review_dock, qtbot)
    with qtbot.waitSignal(review_dock.regions.shown, timeout=LONG) as told:
        review_dock.next_region_button.click()
    assert told.args[0].startswith("Region 1 of ")
    assert "the worst first: predicted error 0." in told.args[0]


def test_corrections_are_handed_over_to_train(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    run(review_dock, qtbot)
    review_dock.show_next()
    review_dock.reject()
    review_dock.train_button.click()
    train = next(w for w in viewer.window.dock_widgets.values() if isinstance(w, TrainDock))
    assert train.data.labels_box.value() is squares
    assert train.data.image_box.value() is viewer.layers["nuclei"]
    assert train.collecting.panel.fold.isChecked()
    assert "1 objects are rejected and not corrected" in review_dock.panel.message.text()


def test_what_is_missing_is_said(
    viewer: napari.Viewer, service: ModelService, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> None:
    dock = _open(viewer, service)
    assert "There are no labels to review" in settle(dock, qtbot)
    viewer.add_labels(_squares(nuclei.shape), name="cells")
    assert "Open the image that 'cells' is of" in settle(dock, qtbot)
    viewer.add_image(nuclei[:100], name="nuclei")
    assert "'cells' reaches beyond 'nuclei'" in settle(dock, qtbot)
    assert not dock.panel.run_button.isEnabled()


def test_cancel_and_closing_leave_nothing(
    viewer: napari.Viewer, squares: Labels, slow_service: SlowService, qtbot: QtBot
) -> None:
    dock = _open(viewer, slow_service)
    settle(dock, qtbot)
    dock.panel.run_button.click()
    dock.panel.cancel_button.click()
    assert dock.panel.message.text() == "Cancelled."
    dock.panel.run_button.click()
    viewer.window.remove_dock_widget(dock)
    slow_service.gate.set()
    ended = [JobState.CANCELLED] * 2
    qtbot.waitUntil(lambda: [job.state for job in slow_service.jobs] == ended, timeout=LONG)
    assert [layer.name for layer in viewer.layers] == ["nuclei", "cells"]


def test_a_removed_layer_is_no_trouble(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    run(review_dock, qtbot)
    review_dock.show_next()
    viewer.layers.remove(squares)
    assert review_dock.list.isHidden()
    review_dock.show_next()
    review_dock.accept()
    assert "There are no labels" in settle(review_dock, qtbot)


def test_the_worst_image_of_a_folder_is_opened(
    viewer: napari.Viewer,
    service: ModelService,
    nuclei: NDArray[np.uint8],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, picture in {"a": nuclei, "b": nuclei[::-1]}.items():
        iio.imwrite(folder / f"{name}.png", picture)
        iio.imwrite(folder / f"{name}_masks.png", _squares(nuclei.shape).astype(np.uint8))
    dock = _open(viewer, service)
    with qtbot.waitSignal(dock.done, timeout=LONG):
        dock.rank_folder(str(folder))
    words = [dock.folder_list.list.item(row).text() for row in range(2)]
    assert float(words[0][:4]) >= float(words[1][:4])
    dock.folder_list.list.itemActivated.emit(dock.folder_list.list.item(0))
    name = "a" if "a.png" in words[0] else "b"
    assert [layer.name for layer in viewer.layers] == [name, f"{name}_masks"]
    assert dock.labels_box.value() is viewer.layers[1]
    assert dock.image_box.value() is viewer.layers[0]


def test_the_truth_says_how_good_the_critic_is(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    true = np.array(squares.data)
    true[100:110] = 0
    truth = viewer.add_labels(true, name="truth", **PLACE)
    viewer.layers.selection.active = squares
    run(review_dock, qtbot)
    assert review_dock.truth_view.isHidden()
    with qtbot.waitSignal(review_dock.truth_check.settled, timeout=LONG):
        review_dock.form.truth_box.set_value(truth)
    said = review_dock.truth_view.message.text()
    assert "1 of 3 objects are wrong" in said
    assert review_dock.truth_view.picture.pixmap().width() > 300
    viewer.layers.remove(truth)
    assert review_dock.truth_view.isHidden()


def test_objects_of_wrong_classes_come_first(
    viewer: napari.Viewer, review_dock: ReviewDock, squares: Labels, qtbot: QtBot
) -> None:
    viewer.window._qt_window.show()
    squares.features = {"index": [2, 5, 7], "class": ["debris", "cell", "cell"]}
    classes = (ObjectClass("cell"), ObjectClass("debris", is_wrong=True))
    remember_classes(squares, classes)
    run(review_dock, qtbot)
    assert _column(review_dock, "object") == ["2", "7", "5"]
    assert _column(review_dock, "class") == ["debris", "", ""]
    review_dock.list.choose(1)

    squares.features = {**squares.features, "class": ["cell", "debris", "cell"]}
    review_dock.hide()
    review_dock.show()  # as its tab is chosen after that of Classes
    assert _column(review_dock, "object") == ["5", "7", "2"]
    assert review_dock.list.row() == 1
    review_dock.show_previous()
    assert squares.selected_label == 5
    review_dock.reject()
    assert review_dock.keeper.decisions == {ObjectKey(5): Decision.REJECTED}


def test_classes_of_frames_stay_among_the_features() -> None:
    table = {
        "label": np.array([4, 3, 3]),
        "t": np.array([1, 1, 0]),
        "predicted_error": np.array([0.9, 0.8, 0.1]),
    }
    review = ssp.Review(np.zeros((2, 1, 1), np.float32), table, np.zeros(2), "tyx")
    before = pd.DataFrame({"index": [3, 3, 5], "t": [0, 1, 1], "class": ["a", "b", "c"]})
    found = features_with_errors(review, before)
    assert found["index"].tolist() == [3, 3, 5]
    assert found["class"].tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(found["predicted_error"], [0.1, 0.8, np.nan])
