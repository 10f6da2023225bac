"""The service that docks, command line and scripts talk to."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from napari_ssp.service.jobs import Job
from napari_ssp.service.local import LocalBackend
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.model_requests import ModelRequest
from napari_ssp.service.pipelines import steps_of
from napari_ssp.service.requests import GatesRequest

if TYPE_CHECKING:
    from types import TracebackType


class Lane(Enum):
    """Work that waits for its like only."""

    COMPUTATION = "computation"
    LOOKUPS = "look-ups"
    FILES = "files"
    DOWNLOADS = "downloads"


class ModelService:
    """Takes requests, and keeps networks loaded.

    What computes with a network is done one after the other. Look-ups, work on the files of models,
    and downloads each have a thread of their own: they wait for their like, never for a prediction.

    Parameters
    ----------
    compute : str
        ``"local"``: a thread of this process.

    Raises
    ------
    ValueError
        When ``compute`` is unknown.
    """

    def __init__(self, compute: str = "local") -> None:
        if compute != "local":
            raise ValueError(f"This version computes 'local' only, got compute={compute!r}.")
        self._models = ModelCache()
        self._lanes = {lane: LocalBackend() for lane in Lane}

    def submit(self, request: Any) -> Job[Any]:
        """Line up a request.

        Parameters
        ----------
        request : SegmentRequest, PredictRequest, GatesRequest, TrainRequest or a ModelRequest
            What to do.

        Returns
        -------
        Job
            Returned at once; ``job.result()`` waits.
        """
        job: Job[Any] = Job(request, steps_of(request, self._models))
        self._lanes[_lane_of(request)].submit(job)
        return job

    def close(self) -> None:
        """Cancel all jobs, end the threads and forget the networks."""
        for backend in self._lanes.values():
            backend.cancel()  # all of them, before one is waited for
        for backend in self._lanes.values():
            backend.close()
        self._models.clear()

    def __enter__(self) -> ModelService:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _lane_of(request: Any) -> Lane:
    if isinstance(request, GatesRequest):
        return Lane.LOOKUPS
    if isinstance(request, ModelRequest):
        return Lane.DOWNLOADS if request.downloads else Lane.FILES
    return Lane.COMPUTATION
