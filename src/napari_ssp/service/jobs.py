"""A request under way."""

from __future__ import annotations

import threading
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from psygnal import Signal, SignalGroup

from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.service.requests import Request

Result = TypeVar("Result")


class JobState(Enum):
    """What has become of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobEvents(SignalGroup):
    """Signals of a job, emitted on the thread that does the work."""

    progressed = Signal(Progress)
    ended = Signal()


class CancelledError(RuntimeError):
    """The result of a cancelled job was asked for."""


class Job(Generic[Result]):
    """A request under way: its state, progress and result.

    Parameters
    ----------
    request : Request
        What was asked for.
    start : callable
        Makes the generator that does the work; called on the working thread.
    """

    def __init__(self, request: Request[Result], start: Callable[[], Steps[Result]]) -> None:
        self.request = request
        self.state = JobState.QUEUED
        self.progress = Progress("waiting")
        self.error: BaseException | None = None
        self.events = JobEvents()
        self._start = start
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._value: Result | None = None

    def cancel(self) -> None:
        """Ask the job to stop; it does so before its next step and leaves no result."""
        self._cancelled.set()
        with self._lock:
            waiting = self.state is JobState.QUEUED
        if waiting:
            self._end(JobState.CANCELLED)

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end and return the result.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait at most; None waits for ever.

        Raises
        ------
        TimeoutError
            When the job has not ended in time.
        CancelledError
            When the job was cancelled.
        Exception
            The job's own error, when it failed.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"The job has not ended within {timeout} s ({self.progress.stage}).")
        if self.state is JobState.CANCELLED:
            raise CancelledError("The job was cancelled.")
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[return-value]

    def run(self) -> None:
        """Do the work on this thread; called by the backend."""
        with self._lock:
            if self.state is not JobState.QUEUED:
                return
            self.state = JobState.RUNNING
        try:
            self._drive(self._start())
        except BaseException as error:  # the error belongs to the caller, the worker lives on
            self.error = error
            self._end(JobState.FAILED)

    def _drive(self, steps: Steps[Result]) -> None:
        try:
            while not self._cancelled.is_set():
                self.progress = next(steps)
                self.events.progressed.emit(self.progress)
        except StopIteration as stop:
            self._value = stop.value
            self._end(JobState.DONE)
        else:
            self._end(JobState.CANCELLED)
        finally:
            steps.close()

    def _end(self, state: JobState) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            self.state = state
            self._ended.set()
        self.events.ended.emit()
