"""A job's news, brought from the thread that works to the thread that shows."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ssp.service import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Progress

_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a job ended.

    Attributes
    ----------
    state : JobState
        Done, failed or cancelled.
    value : Any
        What ``prepare`` made of the result, when done.
    error : BaseException or None
        Why it failed.
    """

    state: JobState
    value: Any = None
    error: BaseException | None = None


class JobRelay(QObject):
    """Turns a job's signals, emitted on its worker, into Qt signals for the GUI thread.

    It has no parent: it lives as long as the worker or the dock needs it, so a job never emits
    into a deleted object. Connect with ``Qt.ConnectionType.QueuedConnection``.

    Parameters
    ----------
    number : int
        Number of the run; comes with every signal, so that late news can be told apart.
    prepare : callable
        Makes of the job's result, on the worker, what the listener wants.
    """

    progressed = Signal(int, object)
    ended = Signal(int, object)

    def __init__(self, number: int, prepare: Callable[[Any], Any]) -> None:
        super().__init__()
        self._number = number
        self._prepare = prepare
        self._job: Job[Any] | None = None
        self._once = threading.Lock()

    def follow(self, job: Job[Any]) -> None:
        """Pass on a job's news from now on, also when it has ended already."""
        self._job = job
        job.events.progressed.connect(self._pass_progress)
        job.events.ended.connect(self._pass_end)
        if job.state in _ENDED:
            self._pass_end()

    def wait(self, seconds: float) -> Outcome | None:
        """Wait for the end, and tell it here; None where it takes longer."""
        job = self._job
        if job is None:
            return None
        with suppress(Exception):  # the outcome tells it
            job.result(seconds)
        return self._outcome(job) if job.state in _ENDED else None

    def cancel(self) -> None:
        """Stop the job and pass on nothing more."""
        # Not disconnected: that would wait for a signal that the worker is emitting just now.
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _pass_progress(self, progress: Progress) -> None:
        if self._job is not None:
            self.progressed.emit(self._number, progress)

    def _pass_end(self) -> None:
        job = self._job
        if job is not None and self._once.acquire(blocking=False):
            self.ended.emit(self._number, self._outcome(job))
            self._job = None

    def _outcome(self, job: Job[Any]) -> Outcome:
        if job.state is not JobState.DONE:
            return Outcome(job.state, error=job.error)
        try:
            return Outcome(job.state, self._prepare(job.result(timeout=0)))
        except Exception as error:  # e.g. no memory left for the colours
            return Outcome(JobState.FAILED, error=error)
