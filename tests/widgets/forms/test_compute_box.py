"""The Compute field of the docks, and where a run goes that it chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_ssp.service import ModelService
from napari_ssp.service.compute.bundle import Bundle, Identity
from napari_ssp.widgets.docks import runner as runners
from napari_ssp.widgets.forms.compute_box import ComputeBox
from napari_ssp.widgets.review.dock import ReviewDock
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot


@pytest.fixture
def box(qtbot: QtBot) -> ComputeBox:
    box = ComputeBox("Where")
    qtbot.addWidget(box)
    return box


def test_a_place_that_is_set_is_offered(box: ComputeBox) -> None:
    assert box.value() == "local"
    for place in ("processes", "/labs/gpu.json", "tls://gpu:8786", "local"):
        box.show_place(place)
        assert box.value() == place


def _choose_last(box: ComputeBox) -> None:
    box.setCurrentIndex(box.count() - 1)
    box.activated.emit(box.count() - 1)


def test_a_bundle_or_a_cluster_is_chosen_as_a_file(
    box: ComputeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["", "/labs/gpu.json", "/labs/slurm.toml"]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (answers.pop(0), ""))
    box.show_place("processes")
    _choose_last(box)
    assert box.value() == "processes"  # nothing was chosen
    _choose_last(box)
    assert box.value() == "/labs/gpu.json"
    assert box.currentText() == "Server of gpu.json"
    _choose_last(box)
    assert (box.value(), box.currentText()) == ("/labs/slurm.toml", "Cluster of slurm.toml")


@pytest.fixture
def dock(qtbot: QtBot) -> Any:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((60, 70), np.uint8))
    dock = SegmentDock(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(dock)
    return dock


def test_a_review_goes_where_its_box_says(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((60, 70), np.uint8))
    viewer.add_labels(np.eye(60, 70, dtype=np.uint8), name="labels")
    dock = ReviewDock(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(dock)
    dock.form.change(compute="processes:2")
    dock.update_plan()
    assert dock.controller._runner.compute == "processes:2"
    refused: list[str] = []
    dock.controller.refused.connect(refused.append)
    dock.form.change(compute=str(tmp_path / "gone.json"))
    dock.update_plan()
    assert "is no place to compute at" in refused[-1]


def test_a_bundle_that_is_not_there_is_an_obstacle(dock: Any, tmp_path: Path) -> None:
    refused: list[str] = []
    dock.controller.refused.connect(refused.append)
    dock.form.change(compute=str(tmp_path / "gone.json"))
    assert dock.update_plan() is None
    assert "is no place to compute at" in refused[-1]
    dock.form.change(compute="local")
    assert dock.update_plan() is not None


def test_a_run_goes_where_the_form_says(
    dock: Any, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gpu.json"
    Bundle("tls://127.0.0.1:9", Identity("a", "b", "c")).write(path)
    with ModelService() as service:
        asked: list[str] = []

        def shared(purpose: str = "prediction", compute: str = "local") -> ModelService:
            asked.append(compute)
            return service

        monkeypatch.setattr(runners, "shared_service", shared)
        dock.form.change(compute=str(path), model="mediar-starter")
        assert dock.update_plan() is not None
        assert str(path) not in asked  # plans are made here
        with qtbot.waitSignal(dock.done, timeout=60_000):
            dock.run()
    assert str(path) in asked
