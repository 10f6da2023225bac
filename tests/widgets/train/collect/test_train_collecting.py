"""Corrections become training data as they are drawn, and the camera goes where they are due."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run
from napari.layers import Labels

from napari_ssp.io import read_image
from napari_ssp.service.annotation.training_set import TrainingSet
from napari_ssp.widgets.train.dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService
    from napari_ssp.widgets.segment.dock import SegmentDock


@pytest.fixture
def train_dock(
    viewer: napari.Viewer, service: ModelService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TrainDock:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    dock = TrainDock(viewer, service)
    viewer.window.add_dock_widget(dock, name="Train models")
    dock.collecting.panel.set_folder(tmp_path / "set")
    return dock


@pytest.fixture
def cells(viewer: napari.Viewer, nuclei: NDArray[np.uint8]) -> Labels:
    viewer.add_image(nuclei, name="n")
    labels = np.zeros(nuclei.shape, np.uint32)
    labels[10:30, 20:50] = 1
    return viewer.add_labels(labels, name="n cells")


def _saved(folder: Path) -> NDArray[Any]:
    """Labels as another process would read them."""
    (pair,) = TrainingSet(folder).pairs()
    return read_image(pair.target).plane()


def _settle(dock: TrainDock, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: dock.collecting.autosave.is_settled, timeout=LONG)
    return dock.collecting.panel.message.text()


def _draw(labels: Labels, y: int, x: int, value: int) -> None:
    labels.data_setitem((np.array([y]), np.array([x])), value)


def test_one_key_adds_and_strokes_are_saved_by_themselves(
    viewer: napari.Viewer, train_dock: TrainDock, cells: Labels, tmp_path: Path, qtbot: QtBot
) -> None:
    folder = tmp_path / "set"
    _press(viewer, "Shift+T")
    assert "1 image in 'set'" in _settle(train_dock, qtbot)
    np.testing.assert_array_equal(_saved(folder), cells.data)
    np.testing.assert_array_equal(
        read_image(TrainingSet(folder).pairs()[0].image).plane(), viewer.layers["n"].data
    )
    assert train_dock.data.value() == (folder,)

    _draw(cells, 100, 100, 7)
    assert not train_dock.collecting.autosave.is_settled
    _settle(train_dock, qtbot)
    assert _saved(folder)[100, 100] == 7
    cells.undo()
    _settle(train_dock, qtbot)
    assert _saved(folder)[100, 100] == 0

    train_dock.collecting.panel.add_button.click()
    assert "already" in train_dock.collecting.panel.message.text()
    assert len(TrainingSet(folder).pairs()) == 1


def test_closing_writes_the_last_stroke_and_gives_the_keys_back(
    viewer: napari.Viewer, train_dock: TrainDock, cells: Labels, tmp_path: Path, qtbot: QtBot
) -> None:
    train_dock.collecting.add()
    _settle(train_dock, qtbot)
    _draw(cells, 50, 60, 9)
    viewer.window.remove_dock_widget(train_dock)
    assert _saved(tmp_path / "set")[50, 60] == 9
    message = train_dock.collecting.panel.message.text()
    _press(viewer, "Shift+T")
    assert train_dock.collecting.panel.message.text() == message
    _draw(cells, 51, 60, 9)
    qtbot.wait(100)
    assert _saved(tmp_path / "set")[51, 60] == 0, "nobody follows any more"


def test_closing_the_viewer_writes_the_last_stroke(
    make_napari_viewer: Callable[..., napari.Viewer],
    service: ModelService,
    nuclei: NDArray[np.uint8],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(nuclei, name="n")
    cells = viewer.add_labels((nuclei > 60).astype(np.uint8), name="n cells")
    dock = TrainDock(viewer, service)
    viewer.window.add_dock_widget(dock)
    dock.collecting.panel.set_folder(tmp_path / "set")
    dock.collecting.add()
    _settle(dock, qtbot)
    _draw(cells, 50, 60, 9)
    viewer.close()
    assert _saved(tmp_path / "set")[50, 60] == 9


def test_a_removed_layer_is_saved_first(
    viewer: napari.Viewer, train_dock: TrainDock, cells: Labels, tmp_path: Path, qtbot: QtBot
) -> None:
    train_dock.collecting.add()
    _settle(train_dock, qtbot)
    _draw(cells, 50, 60, 9)
    viewer.layers.remove(cells)
    _settle(train_dock, qtbot)
    assert _saved(tmp_path / "set")[50, 60] == 9
    assert not train_dock.collecting.autosave._followed


def test_other_labels_in_the_layer_do_not_replace_what_was_added(
    train_dock: TrainDock, cells: Labels, tmp_path: Path, qtbot: QtBot
) -> None:
    train_dock.collecting.add()
    _settle(train_dock, qtbot)
    before = cells.data.copy()
    cells.data = np.zeros_like(before)
    qtbot.waitUntil(
        lambda: "other labels now" in train_dock.collecting.panel.message.text(), timeout=LONG
    )
    np.testing.assert_array_equal(_saved(tmp_path / "set"), before)


def test_outside_of_the_drawn_area_nothing_is_annotated(
    viewer: napari.Viewer, train_dock: TrainDock, cells: Labels, tmp_path: Path, qtbot: QtBot
) -> None:
    cells.scale = viewer.layers["n"].scale = (0.5, 0.5)
    area = viewer.add_shapes(
        [np.array([[4, 9], [4, 29], [19, 29], [19, 9]])], shape_type="rectangle"
    )
    train_dock.data.labels_box.set_value(cells)
    train_dock.data.area_box.set_value(area)
    viewer.layers.selection.active = cells
    train_dock.collecting.add()
    _settle(train_dock, qtbot)
    saved = _saved(tmp_path / "set")
    assert (saved[12:36, 20:56] >= 0).all()
    assert saved[5, 30] == saved[20, 70] == -1
    inside = saved >= 0
    np.testing.assert_array_equal(saved[inside], cells.data[inside])
    area.data = [2 * area.data[0]]
    _settle(train_dock, qtbot)
    assert (_saved(tmp_path / "set") >= 0).sum() > 2 * inside.sum()
    viewer.layers.remove(area)
    assert "Add it again" in _settle(train_dock, qtbot)


def test_labels_without_objects_are_refused_with_a_reason(
    viewer: napari.Viewer, train_dock: TrainDock, cells: Labels, tmp_path: Path, qtbot: QtBot
) -> None:
    train_dock.collecting.panel.folder_box.set_value(None)
    train_dock.collecting.add()
    assert "Choose a folder" in train_dock.collecting.panel.message.text()
    train_dock.collecting.panel.set_folder(tmp_path / "set")
    viewer.layers.selection.active = viewer.add_labels(np.zeros_like(cells.data), name="empty")
    train_dock.collecting.add()
    assert "'empty' has no objects" in _settle(train_dock, qtbot)
    _draw(viewer.layers["empty"], 1, 1, 1)
    train_dock.collecting.add()
    assert "1 image in 'set'" in _settle(train_dock, qtbot)


def test_the_next_region_moves_the_camera(
    viewer: napari.Viewer,
    train_dock: TrainDock,
    dock: SegmentDock,
    nuclei: NDArray[np.uint8],
    qtbot: QtBot,
) -> None:
    panel, suggestions = train_dock.collecting.panel, train_dock.collecting.suggestions
    viewer.add_image(nuclei, name="n", scale=(0.5, 0.5), translate=(3, 4))
    panel.next_button.click()
    assert "Segment the image first" in panel.message.text()
    run(dock, qtbot)
    with qtbot.waitSignal(suggestions.shown, timeout=LONG):
        panel.next_button.click()
    assert panel.message.text().startswith("Region 1 of ")
    first, zoom = viewer.scene.camera.center, viewer.scene.camera.zoom
    y, x = (first[1] - 3) / 0.5, (first[2] - 4) / 0.5
    assert 0 < y < 160
    assert 0 < x < 200
    with qtbot.waitSignal(suggestions.shown, timeout=LONG):
        _press(viewer, "Shift+N")
    assert panel.message.text().startswith("Region 2 of ")
    assert viewer.scene.camera.center != first
    assert viewer.scene.camera.zoom == pytest.approx(zoom, rel=0.1)
    assert isinstance(viewer.layers.selection.active, Labels)


def test_corrections_are_there_after_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
import numpy as np, napari
from pathlib import Path
from qtpy.QtWidgets import QApplication
from napari_ssp.widgets.train.dock import TrainDock
viewer = napari.Viewer(show=False)
viewer.add_image(np.ones((40, 50), np.uint8), name="n")
labels = viewer.add_labels(np.eye(40, 50, dtype=np.uint8), name="n cells")
dock = TrainDock(viewer)
viewer.window.add_dock_widget(dock)
dock.collecting.panel.set_folder(Path({str(tmp_path / "set")!r}))
dock.collecting.add()
def settle():
    while not dock.collecting.autosave.is_settled:
        QApplication.processEvents()
settle()
labels.data_setitem((np.array([3]), np.array([30])), 5)
settle()
assert "torch" not in sys.modules
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == -9, done.stderr
    saved = _saved(tmp_path / "set")
    assert saved[3, 30] == 5
    assert saved.sum() == 45


def _press(viewer: napari.Viewer, key: str) -> None:
    viewer.window._qt_viewer._key_map_handler.press_key(key)
