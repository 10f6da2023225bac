"""What the Segment dock still says and does when another image is chosen."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from dock_driver import LONG, run, settle

from napari_ssp.registry import cache_folder
from napari_ssp.service import JobState, Thresholds
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from dock_driver import SlowService
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot


@pytest.fixture(autouse=True)
def _tiny(tiny_model: Path) -> Iterator[None]:
    """The tiny model, installed as a user's own: its labels mean nothing, but come at once."""
    folder = cache_folder() / "models" / "tiny"
    shutil.copytree(tiny_model, folder)
    yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def slow_dock(viewer: napari.Viewer, slow_service: SlowService) -> SegmentDock:
    dock = SegmentDock(viewer, slow_service)  # type: ignore[arg-type]
    viewer.window.add_dock_widget(dock, name="Segment")
    dock.choose_model("tiny")
    slow_service.gate.set()
    return dock


def _note(dock: SegmentDock) -> str:
    return "" if dock.form.note.isHidden() else dock.form.note.label.text()


def test_linked_planes_of_a_stack_do_not_keep_the_sliders_from_an_image(
    viewer: napari.Viewer, slow_dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(np.stack([nuclei[:64, :64]] * 3), name="stack")
    slow_dock.form.change(all_planes=True, stacks="linked", keep_flows=True)
    assert "3 planes of 3" in settle(slow_dock, qtbot)
    request: Any = slow_dock.update_plan()
    assert request.stacks == "linked"
    viewer.add_image(nuclei[:64, :64], name="flat")
    run(slow_dock, qtbot)
    panel = slow_dock.refining.panel
    assert panel.fold.text() == "Refine 'flat labels'"
    assert not panel._sliders.isHidden(), panel.message.text()
    record = viewer.layers["flat labels"].metadata["napari_ssp"]["request"]
    assert record["stacks"] == "planes"
    viewer.layers.selection.active = viewer.layers["stack"]
    settle(slow_dock, qtbot)
    again: Any = slow_dock.update_plan()
    assert again.stacks == "linked"


def test_committed_thresholds_say_that_they_hold_for_the_next_image(
    viewer: napari.Viewer, slow_dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei[:64, :64], name="one")
    run(slow_dock, qtbot)
    assert _note(slow_dock) == ""
    refining = slow_dock.refining
    with qtbot.waitSignal(refining.settled, timeout=LONG):
        refining.panel.set_value(Thresholds(0.3, 0.4, 20, 20))
    refining.panel.commit_button.click()
    assert "as committed with 'one labels'" in _note(slow_dock)
    viewer.add_image(nuclei[64:128, :64], name="two")
    settle(slow_dock, qtbot)
    assert "as committed with 'one labels'" in _note(slow_dock)
    assert slow_dock.form.value().cell_threshold == 0.3
    assert slow_dock.form.value().hole_size is None
    slow_dock.form.note.button.click()
    assert slow_dock.form.value() == SegmentChoices(model="tiny")
    assert _note(slow_dock) == ""
    slow_dock.form.change(min_size=3)
    assert _note(slow_dock) == "Thresholds are not the model's defaults."


def test_what_was_found_in_one_image_is_not_said_of_another(
    viewer: napari.Viewer, slow_dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    one = viewer.add_image(nuclei[:64, :64], name="one")
    run(slow_dock, qtbot)
    assert slow_dock.panel.message.text()
    viewer.layers.selection.active = viewer.layers["one labels"]
    assert slow_dock.panel.message.text(), "the labels are what was found"
    viewer.add_image(nuclei[64:128, :64], name="two")
    assert slow_dock.panel.message.text() == ""
    viewer.layers.selection.active = one
    settle(slow_dock, qtbot)
    slow_dock.panel.run_button.click()
    viewer.layers.selection.active = viewer.layers["two"]
    with qtbot.waitSignal(slow_dock.done, timeout=LONG):
        pass
    assert slow_dock.panel.message.text().startswith("'one': ")


def test_the_sliders_of_an_older_result_wait_for_the_run(
    viewer: napari.Viewer,
    slow_dock: SegmentDock,
    slow_service: SlowService,
    nuclei: NDArray[Any],
    qtbot: QtBot,
) -> None:
    viewer.add_image(nuclei[:64, :64], name="one")
    run(slow_dock, qtbot)
    panel = slow_dock.refining.panel
    assert panel._sliders.isEnabled()
    assert panel.waiting.isHidden()
    slow_service.gate.clear()
    viewer.add_image(nuclei[64:128, :64], name="two")
    settle(slow_dock, qtbot)
    slow_dock.panel.run_button.click()
    qtbot.waitUntil(lambda: slow_service.jobs[-1].state is JobState.RUNNING, timeout=LONG)
    assert not panel._sliders.isEnabled()
    assert "wait for its end" in panel.waiting.text()
    assert not panel.waiting.isHidden()
    slow_dock.panel.cancel_button.click()
    assert panel._sliders.isEnabled()
    assert panel.waiting.isHidden()
    assert panel.fold.text() == "Refine 'one labels'"
    slow_service.gate.set()


def test_the_plan_of_a_huge_image_says_its_time_or_that_there_is_no_room(
    viewer: napari.Viewer, slow_dock: SegmentDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_image(da.zeros((3000, 3000), np.uint8), name="wide", contrast_limits=(0, 255))
    with qtbot.waitSignal(slow_dock.controller._estimator.ended, timeout=LONG):
        settle(slow_dock, qtbot)
    assert re.search(r", about \S+ \w+ on this computer$", settle(slow_dock, qtbot))
    disk = shutil.disk_usage("/")._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    slow_dock.form.change(overlap=0.5)
    assert "the temporary folder" in settle(slow_dock, qtbot)
    assert not slow_dock.panel.run_button.isEnabled()
