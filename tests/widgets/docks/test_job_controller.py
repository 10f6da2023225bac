"""The controller behind a dock, without a window: plans, runs, cancels, late answers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from napari_ssp.progress import Progress
from napari_ssp.service import JobState, PlanRequest
from napari_ssp.service.compute.local import LocalBackend
from napari_ssp.service.jobs import Job
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_ssp.progress import Steps


@dataclass(frozen=True)
class Count:
    """A request that counts; ``gated`` ones wait for the gate of the service first."""

    number: int
    gated: bool = False


class Counting:
    """A service that plans and does `Count` requests, each kind on a thread of its own."""

    def __init__(self) -> None:
        self.gate, self.plan_gate = threading.Event(), threading.Event()
        self.plan_gate.set()
        self.jobs: list[Job[Any]] = []
        self.plans: list[Job[Any]] = []
        self.given: list[Any] = []
        self._backends = LocalBackend(), LocalBackend()

    def submit(self, request: Any, plan: Any = None) -> Job[Any]:
        is_plan = isinstance(request, PlanRequest)
        job = Job(request, lambda: self._plan(request) if is_plan else self._count(request))
        (self.plans if is_plan else self.jobs).append(job)
        if not is_plan:
            self.given.append(plan)
        self._backends[is_plan].submit(job)
        return job

    def close(self) -> None:
        self.gate.set()
        self.plan_gate.set()
        for backend in self._backends:
            backend.close()

    def _plan(self, request: Any) -> Steps[Any]:
        yield Progress("looking")
        self.plan_gate.wait(10)
        number = request.request.number
        if number < 0:
            raise ValueError(f"{number} cannot be counted.\nCount up.")
        return SimpleNamespace(summary=f"count to {number}", warnings=("slow",) * (number > 9))

    def _count(self, request: Count) -> Steps[int]:
        if request.gated:
            yield Progress("waiting")
            self.gate.wait(10)
        yield Progress("counting", 1, 2)
        if request.number == 13:
            raise RuntimeError("13 is unlucky.")
        return request.number


class Desk:
    """A form without widgets, and what a controller says, in the order it comes."""

    def __init__(self, service: Counting) -> None:
        self.proposal = Proposal(Count(3), needs_plan=True)
        self.refusal: Exception | None = None
        self.said: list[Any] = []
        self.shown: list[Any] = []
        self.recover: Callable[[Any], None] = lambda error: None
        spec = JobSpec(
            "count", self._propose, self.shown.append, lambda: str, lambda e: self.recover(e)
        )
        self.controller = JobController(spec, service)  # type: ignore[arg-type]
        self.controller.planned.connect(lambda *words: self.said.append(words))
        self.controller.refused.connect(self.said.append)
        self.ends: list[Any] = []
        self.controller.ended.connect(self.ends.append)

    def choose(self, number: int, **changes: Any) -> None:
        self.proposal = replace(self.proposal, request=Count(number), **changes)

    def _propose(self) -> Proposal:
        if self.refusal is not None:
            raise self.refusal
        return self.proposal


@pytest.fixture
def service() -> Iterator[Counting]:
    service = Counting()
    yield service
    service.close()


@pytest.fixture
def desk(service: Counting, qapp: Any) -> Desk:
    return Desk(service)


def test_a_plan_that_comes_at_once_is_told_at_once(desk: Desk) -> None:
    assert desk.controller.update_plan() == Count(3)
    assert desk.said == [("count to 3", ())]
    assert desk.controller.is_settled


def test_what_is_known_without_a_plan_is_told_with_it(desk: Desk, service: Counting) -> None:
    desk.choose(10, summary="2 pairs", warnings=("small",))
    desk.controller.update_plan()
    desk.choose(11, needs_plan=False)
    desk.controller.update_plan()
    assert desk.said == [("2 pairs, count to 10", ("small", "slow")), ("2 pairs", ("small",))]
    assert len(service.plans) == 1


def test_what_a_form_refuses_is_said_and_not_run(desk: Desk, service: Counting) -> None:
    desk.refusal = ValueError("Choose a number.")
    desk.controller.run()
    assert desk.said == ["Choose a number."]
    assert (service.plans, service.jobs) == ([], [])


def test_what_the_plan_refuses_is_said_and_not_run(desk: Desk, service: Counting) -> None:
    desk.choose(-1)
    desk.controller.run()
    assert desk.said == ["-1 cannot be counted.\nCount up."]
    assert service.jobs == []


def test_changes_that_come_in_bursts_are_planned_once(
    desk: Desk, service: Counting, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(desk.controller.planned):
        for number in (1, 2, 3):
            desk.choose(number)
            desk.controller.schedule()
            assert not desk.controller.is_settled
    assert desk.said == [("count to 3", ())]
    assert len(service.plans) == 1


def test_a_slow_plan_leaves_the_one_before_on_display(
    desk: Desk, service: Counting, qtbot: QtBot
) -> None:
    desk.controller.update_plan()
    service.plan_gate.clear()
    desk.choose(4)
    desk.controller.update_plan()
    assert desk.said == [("count to 3", ())]
    assert not desk.controller.is_settled
    with qtbot.waitSignal(desk.controller.planned):
        service.plan_gate.set()
    assert desk.said[-1] == ("count to 4", ())
    assert desk.controller.is_settled


def test_the_answer_to_an_older_question_is_dropped(
    desk: Desk, service: Counting, qtbot: QtBot
) -> None:
    service.plan_gate.clear()
    desk.controller.update_plan()
    desk.choose(4)
    with qtbot.waitSignal(desk.controller.planned):
        desk.controller.update_plan()
        service.plan_gate.set()
    qtbot.wait(20)
    assert desk.said == [("count to 4", ())]
    desk.choose(5)
    service.plan_gate.clear()
    desk.controller.update_plan()
    desk.refusal = ValueError("Choose a number.")
    desk.controller.update_plan()
    service.plan_gate.set()
    qtbot.wait(50)
    assert desk.said[-1] == "Choose a number."


def test_a_long_look_is_said_asked_once_and_not_run_before_its_end(
    desk: Desk, service: Counting, qtbot: QtBot
) -> None:
    service.plan_gate.clear()
    desk.choose(5, waiting="Looking …")
    for _ in range(2):
        assert desk.controller.update_plan() is None
    desk.controller.run()
    assert desk.said == ["Looking …"] * 3
    assert (len(service.plans), service.jobs) == (1, [])
    with qtbot.waitSignal(desk.controller.planned):
        service.plan_gate.set()
    assert desk.controller.update_plan() == Count(5)
    assert len(service.plans) == 1


def test_a_run_uses_the_plan_and_shows_what_was_prepared(
    desk: Desk, service: Counting, qtbot: QtBot
) -> None:
    heard: list[Any] = []
    desk.controller.progressed.connect(lambda progress, words: heard.append(words))
    with qtbot.waitSignal(desk.controller.ended):
        desk.controller.run()
        assert desk.controller.is_running
    assert desk.shown == ["3"]
    assert desk.ends[0].state is JobState.DONE
    assert heard == ["counting …"]
    assert [plan.summary for plan in service.given] == ["count to 3"]
    assert not desk.controller.is_running


def test_run_does_what_is_chosen_now_though_its_plan_is_late(
    desk: Desk, service: Counting, qtbot: QtBot
) -> None:
    desk.controller.update_plan()
    service.plan_gate.clear()
    desk.choose(4)
    desk.controller.schedule()
    with qtbot.waitSignal(desk.controller.ended):
        desk.controller.run()
    assert desk.shown == ["4"]
    assert service.given == [None], "it plans itself"


def test_nothing_is_heard_after_cancel(desk: Desk, service: Counting, qtbot: QtBot) -> None:
    desk.proposal = Proposal(Count(3, gated=True))
    assert not desk.controller.cancel()
    desk.controller.run()
    qtbot.waitUntil(lambda: service.jobs[0].state is JobState.RUNNING)
    with qtbot.waitSignal(desk.controller.stopped):
        assert desk.controller.cancel()
    service.gate.set()
    qtbot.waitUntil(lambda: service.jobs[0].state is JobState.CANCELLED)
    qtbot.wait(20)
    assert (desk.shown, desk.ends) == ([], [])


def test_a_newer_run_supersedes_the_one_before(desk: Desk, service: Counting, qtbot: QtBot) -> None:
    desk.controller.start(Count(1, gated=True), desk.shown.append)  # type: ignore[arg-type]
    with qtbot.waitSignal(desk.controller.ended):
        desk.controller.start(Count(2), desk.shown.append)  # type: ignore[arg-type]
        service.gate.set()
    qtbot.wait(20)
    assert desk.shown == [2]


def test_the_error_of_a_run_is_its_end(desk: Desk, qtbot: QtBot) -> None:
    desk.choose(13)
    with qtbot.waitSignal(desk.controller.ended):
        desk.controller.run()
    assert str(desk.ends[0].error) == "13 is unlucky."


def test_an_error_of_showing_is_that_of_the_run(desk: Desk, qtbot: QtBot) -> None:
    def show(value: int) -> None:
        raise ValueError("The layer has gone.")

    with qtbot.waitSignal(desk.controller.ended):
        desk.controller.start(Count(1), show)  # type: ignore[arg-type]
    assert desk.ends[0].state is JobState.FAILED
    assert str(desk.ends[0].error) == "The layer has gone."


def test_a_run_that_starts_another_has_not_ended(desk: Desk, qtbot: QtBot) -> None:
    def go_on(value: Any) -> None:
        desk.controller.start(Count(7), desk.shown.append)  # type: ignore[arg-type]

    with qtbot.waitSignal(desk.controller.ended):
        desk.controller.start(Count(1), go_on)  # type: ignore[arg-type]
    desk.recover = go_on
    with qtbot.waitSignal(desk.controller.ended):
        desk.controller.start(Count(13), desk.shown.append)  # type: ignore[arg-type]
    assert [end.value for end in desk.ends] == [7, 7]
    assert desk.shown == [7, 7]


def test_a_closed_controller_is_silent(desk: Desk, service: Counting, qtbot: QtBot) -> None:
    service.plan_gate.clear()
    desk.controller.update_plan()
    desk.controller.schedule()
    desk.controller.start(Count(1, gated=True), desk.shown.append)  # type: ignore[arg-type]
    desk.controller.close()
    service.gate.set()
    service.plan_gate.set()
    qtbot.wait(150)
    assert (desk.said, desk.shown, desk.ends) == ([], [], [])
    assert desk.controller.is_settled
