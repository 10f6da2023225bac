"""Cytoplasm that follows edits of cells and nuclei, in a real viewer."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import Hand, run, settle
from napari.utils.notifications import notification_manager
from threshold_student import write_threshold_student

from napari_ssp.service import Gesture, Tool
from napari_ssp.widgets.compartments import cytoplasm as following
from napari_ssp.widgets.compartments.cytoplasm import follow_edits
from napari_ssp.widgets.compartments.dock import CompartmentsDock
from napari_ssp.widgets.edit.dock import EditDock
from napari_ssp.widgets.measure.dock import MeasureDock

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    Trio = tuple[Labels, Labels, Labels]

#: Longer than a pause between strokes, in milliseconds.
_LATER = 150


def _squares(shape: tuple[int, ...], margin: int) -> NDArray[np.uint32]:
    """Two objects, 1 on the left and 2 on the right, in every plane."""
    labels = np.zeros(shape, np.uint32)
    labels[..., 2 + margin : 30 - margin, 2 + margin : 30 - margin] = 1
    labels[..., 2 + margin : 30 - margin, 34 + margin : 62 - margin] = 2
    return labels


def _show(viewer: napari.Viewer, shape: tuple[int, ...] = (32, 64)) -> Trio:
    """Cells, nuclei and cytoplasm of a viewer, the last one following."""
    cells, nuclei = _squares(shape, 0), _squares(shape, 8)
    arrays = {"cytoplasm": np.where(nuclei > 0, 0, cells), "nuclei": nuclei, "cells": cells}
    added = {name: viewer.add_labels(each, name=name) for name, each in arrays.items()}
    trio = added["cells"], added["nuclei"], added["cytoplasm"]
    follow_edits(viewer, *trio)
    return trio


@pytest.fixture
def trio(viewer: napari.Viewer) -> Trio:
    return _show(viewer)


def _rest(trio: Trio) -> NDArray[Any]:
    """What the cytoplasm should be."""
    cells, nuclei, _ = (layer.data for layer in trio)
    return np.where(nuclei > 0, 0, cells)


def _wait_until_right(trio: Trio, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: np.array_equal(trio[2].data, _rest(trio)), timeout=5000)


def test_a_stroke_its_undo_and_redo(viewer: napari.Viewer, trio: Trio, qtbot: QtBot) -> None:
    cells, nuclei, cytoplasm = trio
    for layer, number in ((cells, 2), (nuclei, 1), (nuclei, 0), (cells, 0)):
        viewer.layers.selection.active = layer
        layer.mode, layer.selected_label, layer.brush_size = "paint", number, 5
        before = cytoplasm.data.copy()
        Hand(viewer, layer).draw((3.0, 6.0), (12.0, 12.0), (20.0, 32.0), (3.0, 50.0))
        _wait_until_right(trio, qtbot)
        after = cytoplasm.data.copy()
        assert not np.array_equal(before, after)
        layer.undo()
        _wait_until_right(trio, qtbot)
        np.testing.assert_array_equal(cytoplasm.data, before)
        layer.redo()
        _wait_until_right(trio, qtbot)
        np.testing.assert_array_equal(cytoplasm.data, after)


def test_numbers_are_those_of_the_cells(trio: Trio, qtbot: QtBot) -> None:
    cells, nuclei, cytoplasm = trio
    cells.fill((4, 4), 7)  # another number for a cell; its nucleus keeps the old one
    _wait_until_right(trio, qtbot)
    assert np.unique(cytoplasm.data).tolist() == [0, 2, 7]
    nuclei.fill((15, 15), 0)
    _wait_until_right(trio, qtbot)
    np.testing.assert_array_equal(cytoplasm.data == 7, cells.data == 7)
    nuclei.data_setitem((np.array([0, 3]), np.array([0, 40])), 9)  # one of them is beside the cells
    _wait_until_right(trio, qtbot)
    assert cytoplasm.data[0, 0] == cytoplasm.data[3, 40] == 0
    cells.fill((4, 40), 0)  # its nucleus stays, without a cell
    _wait_until_right(trio, qtbot)
    assert np.unique(cytoplasm.data).tolist() == [0, 7]
    assert (nuclei.data == 2).any()


def test_a_stroke_in_another_plane_is_undone_from_here(viewer: napari.Viewer, qtbot: QtBot) -> None:
    trio = _show(viewer, (4, 32, 64))
    cells, _, cytoplasm = trio
    viewer.dims.set_current_step(0, 3)
    cells.n_edit_dimensions = 2
    cells.paint((3, 5, 32), 1)
    _wait_until_right(trio, qtbot)
    assert cytoplasm.data[3, 5, 32] == 1
    viewer.dims.set_current_step(0, 0)
    cells.undo()
    _wait_until_right(trio, qtbot)
    assert cytoplasm.data[3, 5, 32] == 0
    cells.n_edit_dimensions, cells.contiguous = 3, False
    cells.fill((0, 0, 0), 5)
    _wait_until_right(trio, qtbot)
    assert (cytoplasm.data[:, 0] == 5).all()


def test_what_is_large_is_done_in_turns(
    trio: Trio, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(following, "_PIECE", 50)
    cells, nuclei, _ = trio
    cells.fill((0, 0), 6)
    _wait_until_right(trio, qtbot)
    nuclei.data = np.zeros_like(nuclei.data)
    _wait_until_right(trio, qtbot)


def test_edits_of_objects(viewer: napari.Viewer, trio: Trio, qtbot: QtBot) -> None:
    cells = trio[0]
    dock = EditDock(viewer)
    viewer.window.add_dock_widget(dock, name="Edit objects")
    cut = np.array([(y, 16.0) for y in range(31)])
    dock.editing.draw(cells, Gesture(Tool.SPLIT, ()), cut)
    qtbot.waitUntil(lambda: dock.editing.is_settled)
    _wait_until_right(trio, qtbot)
    assert np.unique(trio[2].data).tolist() == [0, 1, 2, 3]
    cells.undo()
    _wait_until_right(trio, qtbot)
    assert np.unique(trio[2].data).tolist() == [0, 1, 2]


def test_the_table_of_the_cytoplasm_grows_old(
    viewer: napari.Viewer, trio: Trio, qtbot: QtBot
) -> None:
    measure = MeasureDock(viewer)
    viewer.window.add_dock_widget(measure, name="Measure objects")
    viewer.layers.selection.active = trio[2]
    run(measure, qtbot)
    assert measure.save_button.isEnabled()
    trio[1].fill((15, 15), 0)
    qtbot.waitUntil(lambda: not measure.save_button.isEnabled(), timeout=5000)
    trio[1].undo()
    qtbot.waitUntil(measure.save_button.isEnabled, timeout=5000)


def test_edited_by_hand_it_follows_no_more(trio: Trio, qtbot: QtBot) -> None:
    cells, _, cytoplasm = trio
    cytoplasm.paint((10, 32), 4)
    said = notification_manager.records[-1].message
    assert said.startswith("'cytoplasm' was edited by hand, so it follows 'cells' and 'nuclei' no")
    kept = cytoplasm.data.copy()
    cells.fill((4, 4), 0)
    qtbot.wait(_LATER)
    np.testing.assert_array_equal(cytoplasm.data, kept)


def test_other_pixels_in_the_cytoplasm_are_left_alone(trio: Trio, qtbot: QtBot) -> None:
    cells, _, cytoplasm = trio
    cytoplasm.data = np.ones_like(cytoplasm.data)
    cells.fill((4, 4), 0)
    qtbot.wait(_LATER)
    assert (cytoplasm.data == 1).all()
    assert "was edited by hand" in notification_manager.records[-1].message


def test_cells_of_another_size_are_followed_no_more(trio: Trio, qtbot: QtBot) -> None:
    cells, nuclei, cytoplasm = trio
    kept = cytoplasm.data.copy()
    cells.data = np.ones((3, 3), np.uint32)
    qtbot.wait(_LATER)
    assert "'cells' and 'nuclei' do not fit" in notification_manager.records[-1].message
    nuclei.fill((15, 15), 0)
    qtbot.wait(_LATER)
    np.testing.assert_array_equal(cytoplasm.data, kept)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_layers_may_be_renamed_and_leave(
    viewer: napari.Viewer, trio: Trio, gone: int, qtbot: QtBot
) -> None:
    for layer in trio:
        layer.name = f"my {layer.name}"
    trio[0].fill((4, 4), 5)
    _wait_until_right(trio, qtbot)
    kept = trio[2].data.copy()
    trio[1].fill((15, 15), 0)
    viewer.layers.remove(trio[gone])  # before what was drawn is looked at
    qtbot.wait(_LATER)
    np.testing.assert_array_equal(trio[2].data, kept)
    trio[1].undo()
    qtbot.wait(_LATER)
    np.testing.assert_array_equal(trio[2].data, kept)


def test_layers_that_were_removed_are_let_go(viewer: napari.Viewer, qtbot: QtBot) -> None:
    trio = _show(viewer)
    trio[0].fill((4, 4), 5)
    gone = [weakref.ref(layer) for layer in trio]
    del trio
    viewer.layers.clear()
    gc.collect()
    assert [layer() for layer in gone] == [None] * 3
    qtbot.wait(_LATER)


def test_layers_of_a_run_follow_without_the_dock_and_stay_together(
    viewer: napari.Viewer, tmp_path: Path, qtbot: QtBot
) -> None:
    student = str(write_threshold_student(tmp_path / "thresholds"))
    dock: Any = viewer.window.add_plugin_dock_widget("napari-ssp", "Cells and nuclei")[1]
    assert isinstance(dock, CompartmentsDock)
    image = viewer.add_image((_squares((32, 64), 0) > 0) * np.uint8(200), name="actin")
    viewer.add_image((_squares((32, 64), 8) > 0) * np.uint8(200), name="DAPI")
    dock.image_box.set_value(image)
    settle(dock, qtbot)
    dock.form.change(model=student, nuclei_model=student)
    run(dock, qtbot)
    run(dock, qtbot)  # into the same layers
    assert len(viewer.layers) == 5
    cytoplasm, nuclei, cells = viewer.layers[-3:]
    trio = cells, nuclei, cytoplasm
    nuclei.fill((15, 15), 0)
    _wait_until_right(trio, qtbot)
    edited = [layer.data.copy() for layer in trio]
    run(dock, qtbot)
    assert len(viewer.layers) == 8
    for layer, data in zip(trio, edited, strict=True):
        np.testing.assert_array_equal(layer.data, data)
    for one in ((cells, nuclei, cytoplasm), tuple(reversed(viewer.layers[-3:]))):
        one[0].fill((4, 4), 11)
        _wait_until_right(one, qtbot)
    viewer.window.remove_dock_widget(viewer.window.dock_widgets["Cells and nuclei (napari-ssp)"])
    cells.undo()
    _wait_until_right(trio, qtbot)
    np.testing.assert_array_equal(cytoplasm.data, edited[2])
