"""The service that docks, command line and scripts talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.service.jobs import Job
from napari_ssp.service.local import LocalBackend
from napari_ssp.service.models import ModelCache
from napari_ssp.service.pipelines import steps_of
from napari_ssp.service.requests import GatesRequest

if TYPE_CHECKING:
    from types import TracebackType


class ModelService:
    """Takes requests, does them one after the other, and keeps networks loaded.

    Look-ups, which take a moment, do not wait for what takes long: they have a thread of their own.

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
        self._backend = LocalBackend()
        self._lookups = LocalBackend()

    def submit(self, request: Any) -> Job[Any]:
        """Line up a request.

        Parameters
        ----------
        request : SegmentRequest or TrainRequest
            What to do.

        Returns
        -------
        Job
            Returned at once; ``job.result()`` waits.
        """
        job: Job[Any] = Job(request, steps_of(request, self._models))
        backend = self._lookups if isinstance(request, GatesRequest) else self._backend
        backend.submit(job)
        return job

    def close(self) -> None:
        """Cancel all jobs, end the threads and forget the networks."""
        self._backend.close()
        self._lookups.close()
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
