"""Controller of a dock's jobs: plans, runs and cancels requests; knows no widget and no viewer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssp.service import EstimateRequest, JobState, PlanRequest
from napari_ssp.service.compute.places import find_place
from napari_ssp.service.estimating import is_long
from napari_ssp.widgets.docks.messages import obstacle_lines
from napari_ssp.widgets.docks.relay import Outcome
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.shared_service import PREDICTION
from napari_ssp.widgets.docks.time_left import TimeLeft, duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Progress
    from napari_ssp.service import ModelService, Plan, Request

_REFUSALS = (ValueError, TypeError, OSError, ImportError)
# Panning and typing come in bursts; the plan follows when they pause.
_PAUSE_MS = 100
# A plan that comes within this time is shown at once, so that nothing flickers.
_BLINK = 0.2  # seconds


@dataclass(frozen=True, eq=False)
class Proposal:
    """What a form asks for, before it is known what that means.

    Attributes
    ----------
    request : Request or None
        What Run will submit; None where there is nothing to do.
    summary, warnings : str, tuple of str
        What is known without a plan.
    needs_plan : bool
        Whether the service plans the request; its summary and warnings are added.
    waiting : str
        What to say while the plan is looked for. Without it the plan before stays on display, and
        what is run in the meantime plans itself.
    """

    request: Request[Any] | None
    summary: str = ""
    warnings: tuple[str, ...] = ()
    needs_plan: bool = False
    waiting: str = ""


@dataclass(frozen=True, eq=False)
class JobSpec:
    """What one dock runs.

    Attributes
    ----------
    noun : str
        What it is called: "segmentation".
    propose : callable
        Makes a proposal of what is chosen, and refuses with a ValueError what cannot be done.
    show : callable
        Shows what was prepared of a result; an error is that of the run. It may start another run,
        which then goes on: nothing has ended.
    prepare : callable
        Called when a run starts; returns what makes, on the worker, the value to show, or None.
    recover : callable
        Gets the error of a run that failed, and may start another one instead.
    amend : callable
        Adds to a proposal what follows from its plan, or from there being none.
    about : callable
        Words in front of the progress that say what is worked on, where that is not plain.
    purpose : str
        Which of the shared services does it.
    """

    noun: str
    propose: Callable[[], Proposal]
    show: Callable[[Any], None]
    prepare: Callable[[], Callable[[Any], Any] | None] = lambda: None
    recover: Callable[[BaseException | None], None] = lambda error: None
    amend: Callable[[Proposal, Plan | None], Proposal] = lambda proposal, plan: proposal
    about: Callable[[], str] = lambda: ""
    purpose: str = PREDICTION


class JobController(QObject):
    """Plans what a dock proposes and runs one request at a time; what comes late is dropped.

    Setters in: ``schedule``, ``update_plan``, ``run``, ``start``, ``cancel``, ``close``.

    Parameters
    ----------
    spec : JobSpec
        What is planned and run.
    service : ModelService or None
        Who does the work; None takes the service that docks share.
    parent : QObject or None
        When it is deleted, the work is cancelled.

    Attributes
    ----------
    planned : Signal(str, tuple of str)
        Summary and warnings of the plan.
    refused : Signal(str)
        Why nothing can be run, or not yet.
    started, stopped : Signal
        A run has begun, was cancelled.
    progressed : Signal(Progress, str)
        A step of the run, in words.
    ended : Signal(Outcome)
        A run has ended, and its result is on display.
    """

    planned = Signal(str, object)
    refused = Signal(str)
    started = Signal()
    stopped = Signal()
    progressed = Signal(object, str)
    ended = Signal(object)

    def __init__(
        self, spec: JobSpec, service: ModelService | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.spec = spec
        self._show = spec.show
        self._noun = spec.noun
        self._proposal = Proposal(None)
        self._asked: Request[Any] | None = None
        self._answer: Outcome | None = None
        self._time_left = TimeLeft()
        self._planner, self._runner, self._estimator = (
            Runner(service, self, spec.purpose) for _ in range(3)
        )
        self._estimated: Plan | None = None
        self._time_needed = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self.update_plan)
        self._planner.ended.connect(self._on_plan)
        self._estimator.ended.connect(self._on_estimate)
        self._runner.progressed.connect(self._on_progress)
        self._runner.ended.connect(self._on_end)

    @property
    def noun(self) -> str:
        """What the run under way, or the last one, is called."""
        return self._noun

    @property
    def is_running(self) -> bool:
        """Whether a run is under way that was not cancelled."""
        return self._runner.is_running

    @property
    def is_settled(self) -> bool:
        """Whether the plan, or the obstacle, is that of what is proposed now."""
        return not self._timer.isActive() and not self._planner.is_running

    def compute_at(self, place: str) -> None:
        """Run what is started from now on at a place, as `ModelService` takes it.

        Raises
        ------
        ValueError
            When it is none.
        """
        find_place(place)
        self._runner.compute = self._estimator.compute = place

    def schedule(self) -> None:
        """Plan again when changes pause."""
        self._timer.start()

    def update_plan(self) -> Request[Any] | None:
        """Find out what Run would do, or why it cannot; pixels are not read.

        Returns
        -------
        Request or None
            What Run will submit.
        """
        self._timer.stop()
        try:
            self._proposal = self.spec.propose()
        except _REFUSALS as error:
            self._proposal = Proposal(None)  # the image of the one before may be removed
            self._forget_plan()
            self.refused.emit(obstacle_lines(error))
            return None
        request = self._proposal.request
        if request is not None and self._proposal.needs_plan:
            self._ask(request)
        else:
            self._forget_plan()
        return self._tell_plan(self._proposal)

    def run(self) -> None:
        """Do what is proposed."""
        request = self.update_plan()
        if request is not None:
            plan = self._answer.value if self._answer is not None else None
            self.start(request, self.spec.show, self.spec.prepare(), plan)

    def start(
        self,
        request: Request[Any],
        show: Callable[[Any], None],
        prepare: Callable[[Any], Any] | None = None,
        plan: Plan | None = None,
        noun: str = "",
    ) -> None:
        """Submit a request; one under way is superseded.

        Parameters
        ----------
        request : Request
            What to do.
        show : callable
            Shows what was prepared of the result.
        prepare : callable, optional
            Makes of the result, on the worker, the value to show.
        plan : Plan, optional
            What the request means, where that was found out already.
        noun : str
            What the run is called; empty for what the dock's own runs are called.
        """
        self._show, self._time_left = show, TimeLeft()
        self._noun = noun or self.spec.noun
        self._estimator.cancel()  # the run would wait for it
        self.started.emit()
        self._runner.start(request, prepare, plan)

    def cancel(self) -> bool:
        """Stop the run; nothing of it is shown any more.

        Returns
        -------
        bool
            Whether there was one.
        """
        running = self.is_running
        self._runner.cancel()
        if running:
            self.stopped.emit()
        return running

    def close(self) -> None:
        """Stop everything."""
        self._timer.stop()
        self._planner.cancel()
        self._estimator.cancel()
        self.cancel()

    def _forget_plan(self) -> None:
        self._planner.cancel()
        self._estimator.cancel()
        self._asked = self._answer = self._estimated = None

    def _ask(self, request: Request[Any]) -> None:
        """Have a request planned, once."""
        if self._asked is None or self._asked != request:
            self._asked, self._answer = request, None
            self._planner.start(PlanRequest(request))
            if not self._proposal.waiting:
                self._answer = self._planner.take_end(_BLINK)

    def _tell_plan(self, proposal: Proposal) -> Request[Any] | None:
        """Say what is known by now; returns what can be run."""
        plan = None
        if proposal.needs_plan:
            if self._answer is None:
                if not proposal.waiting:
                    return proposal.request
                self.refused.emit(proposal.waiting)
                return None
            if self._answer.state is not JobState.DONE:
                self.refused.emit(obstacle_lines(self._answer.error))
                return None
            plan = self._answer.value
            self._estimate(plan)
        amended = self.spec.amend(proposal, plan)
        summary, warnings = amended.summary, amended.warnings
        if plan is not None:
            summary = ", ".join(filter(None, (summary, plan.summary, self._time_needed)))
            warnings = (*warnings, *plan.warnings)
        self.planned.emit(summary, warnings)
        return proposal.request

    def _estimate(self, plan: Plan) -> None:
        """Find out how long a large image takes, once for each plan."""
        if plan is self._estimated or self.is_running:
            return
        self._estimated, self._time_needed = plan, ""
        self._estimator.cancel()
        if self._asked is not None and is_long(plan):
            self._estimator.start(EstimateRequest(self._asked, plan))

    def _on_estimate(self, outcome: Outcome) -> None:
        if outcome.state is JobState.DONE and math.isfinite(outcome.value):
            self._time_needed = f"about {duration(outcome.value)} on this computer"
            self._tell_plan(self._proposal)

    def _on_plan(self, outcome: Outcome) -> None:
        self._answer = outcome
        self._tell_plan(self._proposal)

    def _on_progress(self, progress: Progress) -> None:
        self.progressed.emit(progress, self.spec.about() + self._time_left.describe(progress))

    def _on_end(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            self.spec.recover(outcome.error)
        elif outcome.state is JobState.DONE:
            try:
                self._show(outcome.value)
            except Exception as error:  # layers may have been changed meanwhile
                outcome = Outcome(JobState.FAILED, error=error)
        if not self.is_running:
            self.ended.emit(outcome)
