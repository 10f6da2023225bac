"""The service that docks, command line and scripts talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.service.jobs import Job
from napari_ssp.service.local import LocalBackend
from napari_ssp.service.models import ModelCache
from napari_ssp.service.pipelines import steps_of

if TYPE_CHECKING:
    from types import TracebackType


class ModelService:
    """Takes requests, does them one after the other, and keeps networks loaded.

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
        self._backend.submit(job)
        return job

    def close(self) -> None:
        """Cancel all jobs, end the thread and forget the networks."""
        self._backend.close()
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
