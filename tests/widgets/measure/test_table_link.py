"""Rows of the table and objects in the viewer find each other, whatever the numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run, settle
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog, QTableView

from napari_ssp.io.layer_attributes import ORIGIN_KEY
from napari_ssp.measure import measure_objects
from napari_ssp.service import JobState, measuring
from napari_ssp.widgets.compare.dock import CompareDock
from napari_ssp.widgets.layers.images import layer_image
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.measure.label_colours import LabelColours
from napari_ssp.widgets.measure.object_place import find_object
from napari_ssp.widgets.measure.object_table import CSV, KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import MeasureRequest

# Numbers with gaps, and no row at the position of its number.
NUMBERS = (2, 3, 26, 27, 900)
AREAS = (50, 20, 80, 12, 36)


@pytest.fixture
def dock(viewer: napari.Viewer) -> MeasureDock:
    dock = MeasureDock(viewer)
    viewer.window.add_dock_widget(dock, name="Measure objects")
    return dock


@pytest.fixture
def cells(viewer: napari.Viewer) -> Labels:
    data = np.zeros((120, 160), np.uint32)
    data[10:20, 10:15] = 2
    data[40:45, 30:34] = 3
    data[60:70, 100:108] = 26
    data[90:94, 20:23] = 27
    data[100:106, 140:146] = 900
    return viewer.add_labels(data, name="cells", scale=(0.5, 0.5), translate=(7, 9))


@pytest.fixture
def opened(dock: MeasureDock, cells: Labels, qtbot: QtBot) -> MeasureDock:
    """The dock with the table of the cells."""
    run(dock, qtbot)
    dock.table_button.click()
    return dock


def _panel(dock: MeasureDock) -> Any:
    assert dock.table.panel is not None
    return dock.table.panel


def _click(dock: MeasureDock, row: int, qtbot: QtBot) -> None:
    view: QTableView = _panel(dock).view
    place = view.visualRect(view.model().index(row, 1)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def _chosen(dock: MeasureDock) -> list[int]:
    panel = _panel(dock)
    rows = {index.row() for index in panel.view.selectionModel().selectedRows()}
    return [panel.model.label(row) for row in sorted(rows)]


def _outline(viewer: napari.Viewer) -> NDArray[Any]:
    """Pixels of the cells that the outline's layer covers."""
    layer, cells = viewer.layers["selected object"], viewer.layers["cells"]
    places = np.argwhere(layer.data > 0)
    world = np.array([layer.data_to_world(place) for place in places])
    return np.unique([np.round(cells.world_to_data(w)).astype(int) for w in world], axis=0)


def test_an_object_of_a_part_is_found_by_its_place_in_the_full_image() -> None:
    data = np.zeros((1, 30, 40), np.uint32)
    data[0, 5:9, 10:12], data[0, 20:22, 30:33] = 1, 2
    place: dict[str, Any] = {"metadata": {ORIGIN_KEY: {"z": 7, "y": 100, "x": 200}}}
    layer = Labels(data, axis_labels=("z", "y", "x"), **place)
    table = measure_objects(layer_image(layer))
    assert table["bbox_y_start_px"].tolist() == [105, 120]
    for row, start in ((0, (0, 5, 10)), (1, (0, 20, 30))):
        found = find_object(layer, row + 1, [{name: table[name][row] for name in table}])
        assert found is not None
        assert found.start == start


def test_the_table_fills_its_place_below_the_canvas(
    viewer: napari.Viewer, opened: MeasureDock, qtbot: QtBot
) -> None:
    viewer.window.resize(1200, 800)
    viewer.window.show()
    panel = _panel(opened)
    qtbot.waitUntil(panel.view.isVisible, timeout=LONG)
    qtbot.waitUntil(lambda: panel.view.width() > 0.9 * panel.width() > 500, timeout=LONG)


def test_a_click_on_a_row_shows_its_object(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels, qtbot: QtBot
) -> None:
    assert [_panel(opened).model.label(row) for row in range(5)] == list(NUMBERS)
    _click(opened, 2, qtbot)
    assert cells.selected_label == 26
    assert _chosen(opened) == [26]
    # The middle of rows 60 to 69 and columns 100 to 107, in the world.
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (7 + 64.5 / 2, 9 + 103.5 / 2))
    np.testing.assert_array_equal(_outline(viewer), np.argwhere(cells.data == 26))
    assert viewer.layers.selection.active is cells
    assert opened.labels_box.value() is cells


def test_a_sorted_table_shows_the_object_of_the_row_on_display(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels, qtbot: QtBot
) -> None:
    panel = _panel(opened)
    names = [panel.model.headerData(c, Qt.Orientation.Horizontal) for c in range(3)]
    assert names[:2] == ["label", "area_px2"]
    panel.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert [panel.model.label(row) for row in range(5)] == [26, 2, 900, 3, 27]
    _click(opened, 4, qtbot)
    assert cells.selected_label == 27
    np.testing.assert_array_equal(_outline(viewer), np.argwhere(cells.data == 27))


def test_an_object_that_is_picked_finds_its_row(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels, qtbot: QtBot
) -> None:
    camera = viewer.scene.camera.center
    cells.selected_label = 900
    assert _chosen(opened) == [900]
    np.testing.assert_array_equal(_outline(viewer), np.argwhere(cells.data == 900))
    assert viewer.scene.camera.center == camera, "who picks in the viewer sees the object already"
    cells.selected_label = 5
    assert _chosen(opened) == []
    assert "selected object" not in viewer.layers


def test_a_click_in_the_viewer_picks_and_a_drag_does_not(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels
) -> None:
    event = SimpleNamespace(
        type="mouse_press",
        pos=(50, 50),
        position=cells.data_to_world((92, 21)),
        view_direction=None,
        dims_displayed=[0, 1],
    )
    for moved, expected in ((30, 1), (0, 27)):
        event.type, event.pos = "mouse_press", (50, 50)
        gesture = opened.table._click(viewer, event)
        next(gesture)
        event.type, event.pos = "mouse_release", (50 + moved, 50)
        assert list(gesture) == []
        assert cells.selected_label == expected
    assert _chosen(opened) == [27]
    cells.mode = "paint"
    event.type = "mouse_press"
    assert list(opened.table._click(viewer, event)) == []


def test_a_row_of_a_stack_moves_the_slider_to_a_plane_of_its_object(
    viewer: napari.Viewer, dock: MeasureDock, qtbot: QtBot
) -> None:
    data = np.zeros((9, 30, 40), np.uint16)
    data[1:3, 4:8, 4:8] = 7
    data[5:8, 20:24, 30:33] = 4
    data[6, 20:26, 30:35] = 4
    cells = viewer.add_labels(data, name="cells", scale=(2, 1, 1))
    viewer.dims.set_current_step(0, 2)
    run(dock, qtbot)
    dock.table_button.click()
    _click(dock, 0, qtbot)
    assert cells.selected_label == 4
    assert viewer.dims.current_step[0] == 6, "where it is largest"
    _click(dock, 1, qtbot)
    assert viewer.dims.current_step[0] == 1
    dock.planewise.setChecked(True)
    run(dock, qtbot)
    viewer.dims.set_current_step(0, 7)
    cells.selected_label = 4
    panel = _panel(dock)
    (row,) = {index.row() for index in panel.view.selectionModel().selectedRows()}
    assert panel.model.values(row)["z"] == 7


def test_a_part_of_an_image_is_shown_where_it_lies(
    viewer: napari.Viewer, dock: MeasureDock, qtbot: QtBot
) -> None:
    data = np.zeros((1, 30, 40), np.uint16)
    data[0, 4:8, 10:20] = 31
    origin = {ORIGIN_KEY: {"z": 5, "y": 100, "x": 200}}
    viewer.add_image(np.zeros((9, 140, 260), np.uint8), name="full")
    cells = viewer.add_labels(data, name="part", translate=(5, 100, 200), metadata=origin)
    viewer.dims.set_current_step(0, 1)
    run(dock, qtbot)
    dock.table_button.click()
    assert _panel(dock).model.values(0)["bbox_y_start_px"] == 104
    _click(dock, 0, qtbot)
    assert cells.selected_label == 31
    assert viewer.dims.current_step[0] == 5
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (105.5, 214.5))
    assert viewer.layers["selected object"].data.sum() == 40


def test_painted_labels_make_the_table_old(
    viewer: napari.Viewer,
    opened: MeasureDock,
    cells: Labels,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    panel, freshness = _panel(opened), opened._freshness
    assert panel.warning.isHidden()
    cells.data_setitem((np.array([0, 0]), np.array([0, 1])), 2)
    assert not panel.warning.isHidden()
    assert "changed after they were measured" in panel.warning.text()
    settle(opened, qtbot)
    assert "The table is older than the labels" in opened.panel.warnings.text()
    assert not opened.save_button.isEnabled()
    with qtbot.waitSignal(freshness.changed, timeout=5000):
        cells.undo()
    assert panel.warning.isHidden(), "it is as it was measured"
    assert opened.save_button.isEnabled()
    with qtbot.waitSignal(freshness.changed, timeout=5000):
        cells.redo()
    with qtbot.waitSignal(opened.done, timeout=30_000):
        panel.again_button.click()
    assert panel.warning.isHidden()
    assert panel.model.values(0)["area_px2"] == 52


def test_old_numbers_are_not_saved(
    viewer: napari.Viewer,
    opened: MeasureDock,
    cells: Labels,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qtpy.QtWidgets import QFileDialog

    cells.data[:] = np.roll(cells.data, 3)  # nothing is told of this
    for kind in (CSV, *[kind for kind in KINDS if kind.suffix == ".geojson"]):
        path = tmp_path / f"cells{kind.suffix}"
        answer = staticmethod(lambda *_, path=path: (str(path), ""))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
        with qtbot.waitSignal(opened.done, timeout=30_000) as done:
            opened.save(kind)
        assert done.args[0].state is JobState.FAILED
        assert "'cells' was changed after it was measured" in opened.panel.message.text()
        assert not path.exists()


def test_replaced_labels_make_the_table_old_also_in_a_dock_opened_later(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels, qtbot: QtBot
) -> None:
    cells.data = np.roll(cells.data, 3)
    assert not opened.save_button.isEnabled()
    later = MeasureDock(viewer)
    viewer.window.add_dock_widget(later, name="Later")
    qtbot.waitUntil(lambda: not later.save_button.isEnabled(), timeout=5000)
    later.controller.close()


def test_colours_by_a_column_and_back(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels
) -> None:
    own = cells.colormap
    before = cells.colormap.map(np.array(NUMBERS))
    box = opened.colours.box
    assert "area_px2" in box.values()
    assert not [name for name in box.values() if name and "bbox" in name]
    box.set_value("area_px2")
    shown = cells.colormap.map(np.array(NUMBERS))[:, :3]
    brightness = shown @ (0.2, 0.7, 0.1)
    assert np.argsort(brightness).tolist() == np.argsort(AREAS).tolist()
    assert not cells.colormap.map(np.array([0]))[0, 3]
    grey = cells.colormap.map(np.array([77]))[0]
    assert grey[0] == grey[1] == grey[2], "not measured"
    assert opened.colours.low.text() == f"≤ {np.percentile(AREAS, 1):.4g}"
    assert "selected object" not in viewer.layers, "colours pick nothing"
    box.setCurrentIndex(0)
    assert cells.colormap is own
    np.testing.assert_array_equal(cells.colormap.map(np.array(NUMBERS)), before)


def test_colours_of_very_many_objects_and_back(viewer: napari.Viewer) -> None:
    numbers = np.arange(1, 70_001)  # more than 16 bits of colours
    layer = viewer.add_labels(numbers.reshape(250, 280))
    layer.features = {"index": numbers, "area": np.sqrt(numbers)}
    own, colours = layer.colormap, LabelColours()
    colours.colour(layer, "area")
    shown = layer.colormap.map(np.array([2000, 20_000, 60_000]))[:, 1]
    assert np.all(np.diff(shown) > 0), "greener, as viridis is"
    colours.restore(layer)
    assert layer.colormap is own


def test_labels_whose_numbers_went_have_their_own_colours(
    opened: MeasureDock, cells: Labels
) -> None:
    own = cells.colormap
    opened.colours.box.set_value("area_px2")
    cells.features = {}
    assert cells.colormap is own
    assert not opened.colours.isEnabled()
    assert _panel(opened).model.rowCount() == 0
    assert "not measured yet" in _panel(opened).title.text()


def test_the_outline_is_no_labels_layer_to_work_on(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels, qtbot: QtBot
) -> None:
    _click(opened, 1, qtbot)
    compare = CompareDock(viewer)
    viewer.window.add_dock_widget(compare, name="Compare with truth")
    assert opened.labels_box.values() == compare.truth_box.values() == [cells]
    opened.table.close()
    assert opened.table.panel is None
    assert [layer.name for layer in viewer.layers] == ["cells"]
    assert opened.table._click not in viewer.mouse_drag_callbacks
    cells.selected_label = 26
    opened.table_button.click()
    assert not _panel(opened).isHidden()


def test_rows_are_copied_for_a_spreadsheet(
    opened: MeasureDock, cells: Labels, qtbot: QtBot
) -> None:
    _click(opened, 2, qtbot)
    qtbot.keyClick(_panel(opened).view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    names, numbers = [line.split("\t") for line in QApplication.clipboard().text().splitlines()]
    assert dict(zip(names, numbers, strict=True))["label"] == "26"


def test_another_labels_layer_has_its_own_message_and_table(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels
) -> None:
    assert "Measured 5 objects" in opened.panel.message.text()
    viewer.add_labels(np.ones((8, 8), int), name="other")
    assert opened.panel.message.text() == ""
    assert "'other' are not measured yet" in _panel(opened).title.text()
    viewer.layers.selection.active = cells
    assert _panel(opened).model.rowCount() == 5
    cells.name = "nuclei"
    assert _panel(opened).title.text() == "Objects of 'nuclei'"


def _slowed(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
    """Let somebody change the labels while they are being measured."""
    measure_steps = measuring.measure_steps

    def steps(request: MeasureRequest) -> Any:
        table = yield from measure_steps(request)
        change()
        return table

    monkeypatch.setattr(measuring, "measure_steps", steps)


def test_what_was_edited_during_its_measurement_is_no_table(
    opened: MeasureDock, cells: Labels, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cells.features.copy()
    _slowed(monkeypatch, lambda: cells.data.__setitem__((slice(0, 1), slice(0, 2)), 2))
    outcome = run(opened, qtbot)
    assert outcome.state is JobState.FAILED
    assert "'cells' was changed during its measurement" in opened.panel.message.text()
    assert before.equals(cells.features)


@pytest.mark.parametrize("change", ["scale", "units", "intensities", "image scale"])
def test_what_was_measured_in_is_part_of_the_table(
    viewer: napari.Viewer,
    opened: MeasureDock,
    cells: Labels,
    qtbot: QtBot,
    change: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place: dict[str, Any] = {"scale": (0.5, 0.5), "translate": (7, 9)}
    image = viewer.add_image(np.arange(cells.data.size).reshape(cells.data.shape), **place)
    viewer.layers.selection.active = cells
    opened.image_list.set_value([image.name])
    run(opened, qtbot)
    assert f"mean_{image.name}" in cells.features
    assert opened.save_button.isEnabled()
    if change == "scale":
        cells.scale = image.scale = (0.3, 0.3)
    elif change == "units":
        cells.units = ("um", "um")
    elif change == "intensities":
        image.data = image.data + 1
    else:
        image.scale = (3, 3)
    asked: list[object] = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: asked.append(1) or ("", ""))
    for kind in (CSV, *[kind for kind in KINDS if kind.suffix == ".geojson"]):
        opened.save(kind)
        assert "changed after the objects were measured" in opened.panel.message.text()
    assert asked == []
    assert not _panel(opened).warning.isHidden() or change in ("intensities", "image scale")
    settle(opened, qtbot)
    if change != "image scale":  # then they are not measured together any more, which is said
        assert "The table is older" in opened.panel.warnings.text()
    assert not opened.save_button.isEnabled()


def test_nuclei_that_were_edited_make_the_table_of_their_cells_old(
    viewer: napari.Viewer, opened: MeasureDock, cells: Labels, qtbot: QtBot
) -> None:
    inside = viewer.add_labels(
        np.where(cells.data > 0, cells.data, 0), name="inside", scale=(0.5, 0.5), translate=(7, 9)
    )
    viewer.layers.selection.active = cells
    opened.nuclei_box.set_value(inside)
    run(opened, qtbot)
    assert "num_nuclei" in cells.features
    viewer.layers.selection.active = inside  # as who edits them does
    assert opened.labels_box.value() is inside
    inside.data_setitem(np.nonzero(inside.data == 2), 0)
    viewer.layers.selection.active = cells
    settle(opened, qtbot)
    assert "The table is older" in opened.panel.warnings.text()
    assert not opened.save_button.isEnabled()
