"""Labels compared with the truth in a real viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from dock_driver import run, settle

from napari_ssp.io.layer_attributes import ORIGIN_KEY
from napari_ssp.metrics import Category
from napari_ssp.widgets.compare.dock import CompareDock

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels
    from pytestqt.qtbot import QtBot


@pytest.fixture
def compare_dock(viewer: napari.Viewer) -> CompareDock:
    dock = CompareDock(viewer)
    viewer.window.add_dock_widget(dock, name="Compare with truth")
    return dock


@pytest.fixture
def pair(viewer: napari.Viewer) -> tuple[Labels, Labels]:
    """Truth and prediction: one matched, missed, extra, one split, two merged."""
    truth, found = np.zeros((40, 60), np.uint32), np.zeros((40, 60), np.uint32)
    truth[2:10, 2:10], found[2:10, 2:10] = 1, 7
    truth[2:10, 20:28] = 2
    found[2:10, 40:48] = 8
    truth[15:25, 2:14] = 3
    found[15:25, 2:8], found[15:25, 8:14] = 9, 10
    truth[15:25, 20:26], truth[15:25, 26:32] = 4, 5
    found[15:25, 20:32] = 11
    right = viewer.add_labels(truth, name="drawn", scale=(0.5, 0.5))
    return right, viewer.add_labels(found, name="found", scale=(0.5, 0.5))


def test_scores_fates_and_colours(
    viewer: napari.Viewer, compare_dock: CompareDock, pair: tuple[Labels, Labels], qtbot: QtBot
) -> None:
    truth, prediction = pair
    assert compare_dock.truth_box.value() is truth
    assert compare_dock.prediction_box.value() is prediction
    assert settle(compare_dock, qtbot) == "60 × 40 px"
    run(compare_dock, qtbot)
    texts = {name: label.text() for name, label in compare_dock.view.texts.items()}
    # Of 5 true and 5 predicted objects, 3 pairs reach an IoU of 0.5, and 1 of 0.75.
    assert texts["Average precision, IoU 0.5"] == f"{3 / 7:.3f}"
    assert texts["Average precision, IoU 0.9"] == f"{1 / 9:.3f}"
    assert texts["F1, IoU 0.5"] == f"{2 * 3 / 10:.3f}"
    assert texts["Missed"] == "1 of 5 true objects"
    assert texts["Extra"] == "1 of 5 predicted objects"
    layer = viewer.layers[-1]
    assert layer.name == "found against the truth"
    np.testing.assert_array_equal(layer.scale, (0.5, 0.5))
    assert layer.data[5, 5] == Category.MATCHED
    assert layer.data[5, 24] == Category.MISSED
    assert layer.data[5, 44] == Category.EXTRA
    assert not layer.colormap.map(np.array([0]))[0, 3]
    shown = layer.colormap.map(np.array([1, 2, 3, 4, 5]))
    assert len(np.unique(shown, axis=0)) == 5
    assert layer._get_properties((2.5, 12.0), world=True) == ["object: missed"]
    assert not truth.visible
    assert not prediction.visible
    assert layer not in compare_dock.truth_box


def test_a_second_comparison_updates_the_layer(
    viewer: napari.Viewer, compare_dock: CompareDock, pair: tuple[Labels, Labels], qtbot: QtBot
) -> None:
    run(compare_dock, qtbot)
    pair[1].data = pair[0].data.copy()
    run(compare_dock, qtbot)
    assert len(viewer.layers) == 3
    assert set(np.unique(viewer.layers[-1].data)) == {0, 1}
    assert compare_dock.view.texts["Panoptic quality"].text() == "1.000"
    viewer.layers.remove(pair[0])
    assert compare_dock.view.isHidden(), "numbers of a layer that has gone"


@pytest.mark.parametrize("part_is_truth", [False, True])
def test_a_region_of_a_plane_is_compared_in_its_place(
    viewer: napari.Viewer, compare_dock: CompareDock, part_is_truth: bool, qtbot: QtBot
) -> None:
    whole = np.zeros((3, 40, 60), np.uint32)
    whole[1, 12:20, 32:40], whole[1, 22:30, 42:50] = 1, 2
    whole[1, :9, :9], whole[0, 15:30, 35:50] = 3, 4  # beside the region, and in another plane
    part = whole[1:2, 10:35, 30:55].copy()
    part[part == 2] = 0
    space = {"units": "um", "rotate": 20, "scale": (2, 0.5, 0.5)}
    full = viewer.add_labels(whole, name="whole", translate=(0, 5, 7), **space)
    place = full.data_to_world((1, 10, 30))
    region = viewer.add_labels(part, name="region", translate=place, **space)
    for box in (compare_dock.prediction_box, compare_dock.truth_box):
        box.set_value(region if (box is compare_dock.truth_box) is part_is_truth else full)
    assert "'region' is 25 × 25 × 1" in settle(compare_dock, qtbot), "of which image nobody knows"
    region.metadata = {ORIGIN_KEY: {"z": 1, "y": 10, "x": 30}}
    compare_dock.controller.schedule()
    assert settle(compare_dock, qtbot) == "25 × 25 × 1 of 60 × 40 × 3 px"
    run(compare_dock, qtbot)
    texts = {name: label.text() for name, label in compare_dock.view.texts.items()}
    wanted = ("0 of 1", "1 of 2") if part_is_truth else ("1 of 2", "0 of 1")
    assert texts["Missed"] == f"{wanted[0]} true objects"
    assert texts["Extra"] == f"{wanted[1]} predicted objects"
    layer = viewer.layers[-1]
    np.testing.assert_allclose(layer.data_to_world((0, 0, 0)), place)
    fate = Category.EXTRA if part_is_truth else Category.MISSED
    fates = np.select([part == 1, whole[1:2, 10:35, 30:55] == 2], [Category.MATCHED, fate])
    np.testing.assert_array_equal(layer.data, fates)
    region.translate = full.data_to_world((1, 30, 30))
    assert "'region' reaches beyond 'whole' along y" in settle(compare_dock, qtbot)


def test_what_does_not_go_together_is_refused(
    viewer: napari.Viewer, compare_dock: CompareDock, qtbot: QtBot
) -> None:
    assert "Two label layers are needed" in settle(compare_dock, qtbot)
    truth = viewer.add_labels(np.ones((8, 9), int), name="truth")
    assert "Two label layers are needed" in settle(compare_dock, qtbot)
    small = viewer.add_labels(np.ones((8, 8), int), name="small")
    assert "'small' is 8 × 8 pixels, but 'truth' is 9 × 8" in settle(compare_dock, qtbot)
    assert not compare_dock.panel.run_button.isEnabled()
    small.data = np.ones((8, 9), int)
    small.scale = (2, 2)
    assert "do not lie pixel on pixel" in settle(compare_dock, qtbot)
    small.scale = (1, 1)
    settle(compare_dock, qtbot)
    assert compare_dock.panel.run_button.isEnabled()
    compare_dock.prediction_box.set_value(truth)
    assert "are the same layer" in settle(compare_dock, qtbot)


def _ours(viewer: napari.Viewer, name: str = "found") -> Labels:
    """Labels with our provenance, as a run leaves them."""
    return viewer.add_labels(np.ones((8, 9), int), name=name, metadata={"napari_ssp": {}})


@pytest.mark.parametrize("ours_first", [True, False])
def test_what_we_predicted_is_the_prediction(
    viewer: napari.Viewer, compare_dock: CompareDock, ours_first: bool
) -> None:
    found = _ours(viewer) if ours_first else None
    drawn = viewer.add_labels(np.ones((8, 9), int), name="drawn")
    found = found or _ours(viewer)
    assert compare_dock.prediction_box.value() is found
    assert compare_dock.truth_box.value() is drawn
    viewer.layers.selection.active = drawn
    assert compare_dock.prediction_box.value() is found, "selected is not judged"
    second = viewer.add_labels(np.ones((8, 9), int), name="drawn by another")
    assert compare_dock.truth_box.value() is second
    newer = _ours(viewer, "found again")
    assert compare_dock.prediction_box.value() is newer


def test_layers_from_before_the_dock_are_told_apart(viewer: napari.Viewer) -> None:
    found = _ours(viewer)
    drawn = viewer.add_labels(np.ones((8, 9), int), name="drawn")
    dock = CompareDock(viewer)
    viewer.window.add_dock_widget(dock, name="Compare with truth")
    assert dock.prediction_box.value() is found
    assert dock.truth_box.value() is drawn


def test_prediction_and_truth_are_swapped(
    viewer: napari.Viewer, compare_dock: CompareDock, pair: tuple[Labels, Labels], qtbot: QtBot
) -> None:
    run(compare_dock, qtbot)
    assert compare_dock.swap_button.toolTip()
    compare_dock.swap_button.click()
    assert compare_dock.prediction_box.value() is pair[0]
    assert compare_dock.truth_box.value() is pair[1]
    assert compare_dock.view.isHidden(), "numbers of the other way round"
    viewer.layers["drawn"].name = "drawn by hand"
    viewer.add_labels(np.ones((40, 60), int), name="third", scale=(0.5, 0.5))
    compare_dock.prediction_box.set_value(pair[0])
    run(compare_dock, qtbot)
    assert viewer.layers[-1].name == "drawn by hand against the truth"
    assert compare_dock.view.texts["Missed"].text() == "1 of 5 true objects"


def test_the_result_of_a_comparison_is_neither(
    viewer: napari.Viewer, compare_dock: CompareDock, pair: tuple[Labels, Labels], qtbot: QtBot
) -> None:
    run(compare_dock, qtbot)
    result = viewer.layers[-1]
    viewer.layers.selection.active = result
    for box in (compare_dock.prediction_box, compare_dock.truth_box):
        assert set(box.values()) == set(pair)
    viewer.layers.append(type(result).create(*result.as_layer_data_tuple()))
    assert len(compare_dock.truth_box.values()) == 2, "a copy of it neither"


def test_negative_labels_are_said_in_the_dock(
    viewer: napari.Viewer, compare_dock: CompareDock, qtbot: QtBot
) -> None:
    viewer.add_labels(np.ones((8, 9), int), name="truth")
    viewer.add_labels(np.full((8, 9), -2), name="wrong")
    run(compare_dock, qtbot)
    assert "negative label -2" in compare_dock.panel.message.text()


def test_empty_images_have_no_score(
    viewer: napari.Viewer, compare_dock: CompareDock, qtbot: QtBot
) -> None:
    for name in ("truth", "found"):
        viewer.add_labels(np.zeros((8, 9), int), name=name)
    run(compare_dock, qtbot)
    assert "no objects" in compare_dock.view.texts["Panoptic quality"].text()


def test_stacks_are_compared_as_one(
    viewer: napari.Viewer, compare_dock: CompareDock, qtbot: QtBot
) -> None:
    cube = np.zeros((1, 8, 9), int)
    cube[:, 2:5, 2:5] = 1
    viewer.add_labels(cube[0], name="truth")
    viewer.add_labels(cube, name="found")
    run(compare_dock, qtbot)
    assert viewer.layers[-1].data.shape == (1, 8, 9)
    assert compare_dock.view.texts["F1, IoU 0.5"].text() == "1.000"


def test_another_comparison_lies_on_its_labels(
    viewer: napari.Viewer, compare_dock: CompareDock, pair: tuple[Labels, Labels], qtbot: QtBot
) -> None:
    run(compare_dock, qtbot)
    for layer in pair:
        layer.scale, layer.units = (0.3, 0.3), ("mm", "mm")
    run(compare_dock, qtbot)
    shown = viewer.layers["found against the truth"]
    np.testing.assert_array_equal(shown.scale, (0.3, 0.3))
    assert shown.units == pair[0].units
