"""Masks in the place of labels in the Train dock of a real viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from dock_driver import LONG

from napari_ssp.service import ModelService
from napari_ssp.widgets.train.choices import STRUCTURES
from napari_ssp.widgets.train.dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

MASK = np.zeros((60, 80), np.uint8)
MASK[5:15, 5:25], MASK[30:40, 50:60], MASK[50:55, 2:7] = 255, 255, 255


@pytest.fixture
def train_dock(
    viewer: napari.Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrainDock]:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    with ModelService() as service:
        dock = TrainDock(viewer, service)
        viewer.window.add_dock_widget(dock, name="Train models")
        yield dock


def folder_of(folder: Path, mask: Any) -> Path:
    for part, pixels in (("images", np.arange(4800, dtype="u2").reshape(60, 80)), ("masks", mask)):
        (folder / part).mkdir(parents=True)
        for k in range(4):
            tifffile.imwrite(folder / part / f"i{k}.tif", pixels)
    return folder


def numbers_parts(dock: TrainDock) -> bool:
    request: Any = dock.update_plan()
    return bool(request.crops.number_parts)


def wait_for(dock: TrainDock, words: str, label: Any, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: words in label.text(), timeout=LONG)
    assert dock.parts_button.isVisibleTo(dock)


def test_masks_in_a_folder_are_numbered_on_one_click(
    train_dock: TrainDock, qtbot: QtBot, tmp_path: Path
) -> None:
    train_dock.data.add_path(folder_of(tmp_path / "d", MASK))
    panel, button = train_dock.panel, train_dock.parts_button
    words = "Each of 4 label images has one number for 3 separate parts: a mask?"
    wait_for(train_dock, words, panel.warnings, qtbot)
    button.click()
    qtbot.waitUntil(lambda: panel.run_button.isEnabled() and words not in panel.warnings.text())
    assert button.isVisibleTo(train_dock)
    assert numbers_parts(train_dock)
    button.click()
    qtbot.waitUntil(lambda: words in panel.warnings.text(), timeout=LONG)


def test_masks_of_true_and_false_are_numbered_on_one_click(
    train_dock: TrainDock, qtbot: QtBot, tmp_path: Path
) -> None:
    train_dock.data.add_path(folder_of(tmp_path / "d", MASK > 0))
    panel = train_dock.panel
    wait_for(train_dock, "4 of 4 label files are masks (dtype bool)", panel.plan, qtbot)
    assert not panel.run_button.isEnabled()
    train_dock.parts_button.click()
    qtbot.waitUntil(panel.run_button.isEnabled, timeout=LONG)
    assert numbers_parts(train_dock)


def test_a_layer_that_is_a_mask_is_asked_about(
    viewer: napari.Viewer, train_dock: TrainDock, qtbot: QtBot
) -> None:
    viewer.add_image(np.arange(4800).reshape(60, 80), name="cells")
    viewer.add_labels(MASK, name="mask")
    train_dock.data.add_button.click()
    words = "The label image has one number for 3 separate parts: a mask?"
    wait_for(train_dock, words, train_dock.panel.warnings, qtbot)
    train_dock.parts_button.click()
    qtbot.waitUntil(lambda: words not in train_dock.panel.warnings.text(), timeout=LONG)
    assert numbers_parts(train_dock)
    train_dock.form.change(learn=STRUCTURES)
    qtbot.waitUntil(lambda: not train_dock.parts_button.isVisibleTo(train_dock), timeout=LONG)
