"""Runs as napari knows them: a bar in the activity dock, a question before the window closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dock_driver import LONG, SlowService
from napari.utils import progress
from qtpy.QtWidgets import QLabel

from napari_ssp.progress import Progress
from napari_ssp.service import JobState
from napari_ssp.widgets.docks.activity import _Bar
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    import napari
    import numpy as np
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot


@pytest.fixture
def running(
    viewer: napari.Viewer, slow_service: SlowService, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> SegmentDock:
    """Find a dock whose run waits at the gate."""
    viewer.add_image(nuclei)
    dock = SegmentDock(viewer, slow_service)
    viewer.window.add_dock_widget(dock)
    dock.run()
    qtbot.waitUntil(lambda: bool(slow_service.jobs))
    return dock


def test_a_long_run_has_a_bar_that_costs_nothing_and_goes_with_it(
    viewer: napari.Viewer, running: SegmentDock, slow_service: SlowService, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(progress._all_instances), timeout=LONG)
    (bar,) = progress._all_instances
    assert (bar.desc.rstrip(": "), bar.total) == ("Segmentation (napari-ssp)", 100)
    labels = viewer.window._qt_window.statusBar().findChildren(QLabel)
    wheels = [label.movie() for label in labels if label.movie() is not None]
    assert wheels and not any(wheel.state() == wheel.MovieState.Running for wheel in wheels)

    with qtbot.waitSignal(running.done, timeout=LONG):
        slow_service.gate.set()
    assert not progress._all_instances


def test_a_bar_that_handles_the_end_of_its_run_leaves_the_last_word_to_it(
    viewer: napari.Viewer, running: SegmentDock, slow_service: SlowService, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(progress._all_instances), timeout=LONG)
    (bar,) = progress._all_instances

    def update(steps: int) -> None:
        """Handle what comes until the run has ended, as napari does with what waits."""
        slow_service.gate.set()
        qtbot.waitUntil(lambda: not running.controller.is_running, timeout=LONG)

    bar.update = update
    running.controller.progressed.emit(Progress("measuring", 1, 2), "measuring")
    qtbot.waitUntil(lambda: not running.controller.is_running, timeout=LONG)
    assert running.panel.message.text().startswith("Found")


def test_napari_asks_before_it_closes_on_a_run_and_then_stops_it(
    viewer: napari.Viewer, running: SegmentDock, slow_service: SlowService, qtbot: QtBot
) -> None:
    tasks = viewer.window._task_status_manager
    assert tasks.get_status() == ["napari-ssp: Segmentation is running"]  # what the question lists
    tasks.cancel_all()  # as when the answer is yes
    assert not running.controller.is_running and not tasks.is_busy()
    slow_service.gate.set()
    qtbot.waitUntil(lambda: slow_service.jobs[0].state is JobState.CANCELLED)


def test_napari_is_told_of_a_size_estimate(
    viewer: napari.Viewer, running: SegmentDock, slow_service: SlowService, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(running.done, timeout=LONG):
        slow_service.gate.set()
    slow_service.gate.clear()
    running.estimate_size()
    tasks = viewer.window._task_status_manager
    assert tasks.get_status() == ["napari-ssp: Size estimate is running"]
    slow_service.gate.set()


def test_a_run_that_has_ended_is_no_reason_to_ask(
    viewer: napari.Viewer, running: SegmentDock, slow_service: SlowService, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(running.done, timeout=LONG):
        slow_service.gate.set()
    assert viewer.window._task_status_manager.get_status() == []
    running.run()
    assert viewer.window._task_status_manager.is_busy(), "the next run is told, too"
    running.cancel()
    assert not viewer.window._task_status_manager.is_busy()


def test_a_bar_goes_with_its_viewer(
    viewer: napari.Viewer, running: SegmentDock, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(progress._all_instances), timeout=LONG)
    viewer.close()
    qtbot.waitUntil(lambda: not progress._all_instances, timeout=LONG)


def test_no_bar_is_left_of_a_run_that_ends_while_napari_makes_it() -> None:
    bar = _Bar()

    def end(event: Any) -> None:
        if event.added:
            bar.close()

    progress._all_instances.events.changed.connect(end)
    try:
        bar.show("Segmentation")
    finally:
        progress._all_instances.events.changed.disconnect(end)
    assert not progress._all_instances


def test_there_is_one_bar_where_it_is_asked_for_again_while_napari_makes_it() -> None:
    bar = _Bar()

    def ask_again(event: Any) -> None:
        if event.added:
            bar.show("Segmentation")

    progress._all_instances.events.changed.connect(ask_again)
    try:
        bar.show("Segmentation")
    finally:
        progress._all_instances.events.changed.disconnect(ask_again)
    assert len(progress._all_instances) == 1
    bar.close()
    assert not progress._all_instances
