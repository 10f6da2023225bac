from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from napari_ssp.progress import Progress
from napari_ssp.service.compute.local import LocalBackend
from napari_ssp.service.jobs import Job, JobState
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.shared_service import shared_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_ssp.progress import Steps
    from napari_ssp.widgets.docks.relay import Outcome


class Work:
    """A service whose requests are generator functions."""

    def __init__(self) -> None:
        self.backend = LocalBackend()
        self.jobs: list[Job[Any]] = []

    def submit(self, request: Callable[[], Steps[Any]], plan: Any = None) -> Job[Any]:
        self.jobs.append(Job("work", request))
        self.backend.submit(self.jobs[-1])
        return self.jobs[-1]


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.backend.close()


@pytest.fixture
def runner(work: Work, qapp: Any) -> Runner:
    return Runner(work)  # type: ignore[arg-type]


def _counting(value: Any) -> Callable[[], Steps[Any]]:
    def steps() -> Steps[Any]:
        yield Progress("half", 1, 2)
        return value

    return steps


def _waiting(gate: threading.Event, value: Any) -> Callable[[], Steps[Any]]:
    def steps() -> Steps[Any]:
        yield Progress("waiting")
        gate.wait(10)
        return value

    return steps


def test_progress_and_result_arrive_in_the_gui_thread(runner: Runner, qtbot: QtBot) -> None:
    heard: list[Any] = []
    runner.progressed.connect(lambda p: heard.append((p.stage, threading.current_thread())))
    prepared: list[threading.Thread] = []

    def prepare(value: int) -> int:
        prepared.append(threading.current_thread())
        return value + 1

    with qtbot.waitSignal(runner.ended) as ended:
        runner.start(_counting(41), prepare)
    outcome: Outcome = ended.args[0]
    assert (outcome.state, outcome.value) == (JobState.DONE, 42)
    assert heard == [("half", threading.main_thread())]
    assert prepared != [threading.main_thread()]
    assert not runner.is_running


def test_an_error_arrives_as_the_outcome(runner: Runner, qtbot: QtBot) -> None:
    def steps() -> Steps[Any]:
        yield Progress("start")
        raise RuntimeError("too many cells")

    with qtbot.waitSignal(runner.ended) as ended:
        runner.start(steps, str)
    assert ended.args[0].state is JobState.FAILED
    assert str(ended.args[0].error) == "too many cells"


def test_an_error_while_preparing_arrives_too_and_the_worker_lives(
    runner: Runner, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(runner.ended) as ended:
        runner.start(_counting("no number"), int)
    assert ended.args[0].state is JobState.FAILED
    with qtbot.waitSignal(runner.ended) as ended:
        runner.start(_counting("7"), int)
    assert ended.args[0].value == 7


def test_the_result_of_a_superseded_run_is_dropped(
    runner: Runner, work: Work, qtbot: QtBot
) -> None:
    heard: list[Any] = []
    runner.ended.connect(lambda outcome: heard.append(outcome.value))
    gate = threading.Event()
    runner.start(_waiting(gate, "old"), str)
    qtbot.waitUntil(lambda: work.jobs[0].state is JobState.RUNNING)
    with qtbot.waitSignal(runner.ended):
        runner.start(_counting("new"), str)
        gate.set()
    qtbot.wait(50)
    assert heard == ["new"]


def test_a_result_that_is_already_on_its_way_is_dropped_by_cancel(
    runner: Runner, work: Work, qtbot: QtBot
) -> None:
    heard: list[Any] = []
    runner.ended.connect(heard.append)
    gate = threading.Event()
    runner.start(_waiting(gate, "late"), str)
    gate.set()
    assert work.jobs[0].result(timeout=10) == "late"  # ended; the news wait in the event queue
    runner.cancel()
    qtbot.wait(50)
    assert heard == []
    assert not runner.is_running


def test_cancel_does_not_wait_for_the_preparation(runner: Runner, qtbot: QtBot) -> None:
    heard: list[Any] = []
    runner.ended.connect(heard.append)
    busy, gate = threading.Event(), threading.Event()

    def prepare(value: Any) -> Any:
        busy.set()
        gate.wait(10)
        return value

    runner.start(_counting("late"), prepare)
    assert busy.wait(10)
    runner.cancel()  # would need the ten seconds
    gate.set()
    qtbot.wait(50)
    assert heard == []


def test_a_deleted_runner_cancels_its_job(runner: Runner, work: Work, qtbot: QtBot) -> None:
    gate = threading.Event()
    runner.start(_waiting(gate, "late"), str)
    qtbot.waitUntil(lambda: work.jobs[0].state is JobState.RUNNING)
    with qtbot.waitSignal(runner.destroyed):
        runner.deleteLater()
    gate.set()
    qtbot.waitUntil(lambda: work.jobs[0].state in (JobState.CANCELLED, JobState.DONE))


def test_docks_share_one_service_however_it_is_asked_for() -> None:
    assert shared_service() is shared_service(compute="local")
    assert shared_service() is not shared_service("training")
