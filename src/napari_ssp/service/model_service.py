"""The service that docks, command line and scripts talk to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from napari_ssp.engine import limit_threads
from napari_ssp.service.compute.local import PATIENCE, LocalBackend
from napari_ssp.service.compute.places import open_cluster
from napari_ssp.service.compute.queues.cluster_file import MOST_WORKERS
from napari_ssp.service.compute.remote import find_remote_steps
from napari_ssp.service.jobs import Job
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.pipelines import Lane, find_lane, prepare_steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from napari_ssp.progress import Steps
    from napari_ssp.service.requests import Request
    from napari_ssp.service.results import Plan

R = TypeVar("R")

#: Networks of this process; services and scripts share them.
SHARED_MODELS = ModelCache()
#: Seconds to wait for a thread to end after an interrupt from the keyboard.
_HURRY = 1.0
#: Jobs that a server is given at a time; it lines them up itself.
_MOST_WAITING = MOST_WORKERS + 1


class ModelService:
    """Takes requests, and keeps networks loaded.

    What computes with a network is done one after the other. Plans, look-ups, tables, work on
    files and downloads each have a thread of their own: they wait for their like, never for a
    prediction.

    Parameters
    ----------
    compute : str or pathlib.Path
        Where networks run: ``"local"``, a thread of this process; ``"processes"``, processes
        beside it, ``"processes:4"`` so many of them; the file of a client bundle that
        ``napari-ssp serve`` has written, or the address of such a server, ``"tls://host:8786"``;
        a cluster file, ``"cluster.toml"``, whose queue's jobs are the workers. Wherever it is,
        requests and results are the same. Plans, tables and work on files stay in this process.

    Raises
    ------
    ValueError
        When ``compute`` is unknown.
    ImportError
        When what it needs is not installed.
    """

    def __init__(self, compute: str | Path = "local") -> None:
        self._cluster = open_cluster(compute)
        self._lanes = {lane: LocalBackend() for lane in Lane}
        # What waits for a server may wait beside others.
        self._waiting = LocalBackend(_MOST_WAITING)
        self._is_closed = False
        SHARED_MODELS.open(self)

    def submit(self, request: Request[R], plan: Plan | None = None) -> Job[R]:
        """Line up a request.

        Parameters
        ----------
        request : Request
            What to do, e.g. a `SegmentRequest`.
        plan : SegmentPlan, PredictionPlan or None
            What the request means, as a `PlanRequest` has found; it is not planned again.

        Returns
        -------
        Job
            Returned at once; ``job.result()`` waits.

        Raises
        ------
        RuntimeError
            When the service was closed.
        TypeError
            When the request is none that the service knows.
        """
        if self._is_closed:
            raise RuntimeError(
                "This model service was closed, so nothing can be submitted to it. Make a new "
                "ModelService()."
            )
        kind = find_lane(request)
        start = prepare_steps(request, SHARED_MODELS, plan, self._begin, self)
        lane = self._lanes[kind]
        if kind is Lane.COMPUTATION:
            start = partial(limit_threads, start)
        if (remote := self._find_remote(request)) is not None:
            lane, start = self._waiting, remote
        job = Job(request, start)
        lane.submit(job)
        return job

    def _find_remote(self, request: Request[R]) -> Callable[[], Steps[R]] | None:
        """Find the start of a request that is done elsewhere; None where it is done here."""
        if self._cluster is None or (steps := find_remote_steps(request)) is None:
            return None
        return partial(steps, request, self._cluster)

    def _begin(self, request: Request[R], plan: Plan | None = None) -> Steps[R]:
        """Start a request that another one, done here, consists of."""
        return (self._find_remote(request) or prepare_steps(request, SHARED_MODELS, plan))()

    def count_places(self) -> int:
        """How many requests are done at a time: the workers, one in this process.

        Raises
        ------
        PermissionError, ConnectionError
            When a server lets nobody in, or does not answer.
        RuntimeError
            When processes do not start, or a queue refuses a job.
        """
        return 1 if self._cluster is None else self._cluster.count_workers()

    def close(self) -> None:
        """Cancel all jobs and end the threads; the last service to close forgets the networks.

        Closing it again does nothing.
        """
        self._close(PATIENCE)

    def _close(self, patience: float) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        backends = [*self._lanes.values(), self._waiting]
        for backend in backends:
            backend.cancel()  # all of them, before one is waited for
        for backend in backends:
            backend.close(patience)
        if self._cluster is not None:
            self._cluster.close()
        SHARED_MODELS.close(self)

    def __enter__(self) -> ModelService:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Who presses Ctrl-C is not to wait for what cannot be stopped, as the import of torch.
        self._close(_HURRY if kind is KeyboardInterrupt else PATIENCE)
