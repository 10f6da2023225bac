"""A worker's part of a request: does its steps, and tells how far it is."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from distributed import get_worker

from napari_ssp.service.compute.wire import Parcel, pack, pack_error, unpack
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.pipelines import prepare_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.progress import Progress, Steps

_LOG = logging.getLogger(__name__)
#: Networks of this worker, which stay warm from request to request.
_MODELS = ModelCache()
#: Seconds between two messages about progress at least.
_PAUSE = 0.1


def do_request(
    topic: str, key: str, text: str, arrays: list[NDArray[Any]]
) -> tuple[str, list[NDArray[Any]]]:
    """Do a request on this worker.

    Parameters
    ----------
    topic : str
        Topic of events that who asked listens to.
    key : str
        Name of the task, and of the job.
    text, arrays : str, list of numpy.ndarray
        The request's parcel.

    Returns
    -------
    str, list of numpy.ndarray
        Parcel of the result, or of the error; of None where nobody wants it any more.
    """
    try:
        request = unpack(Parcel(text, arrays))
        answer = pack(_follow(prepare_steps(request, _MODELS)(), _Reports(topic, key)))
    except Exception as error:
        _LOG.info("Job %s failed: %s", key, error, exc_info=error)
        answer = pack_error(error)
    return answer.text, answer.arrays


class _Reports:
    """Messages about one job to who asked for it."""

    def __init__(self, topic: str, key: str) -> None:
        self._worker = get_worker()
        self._topic, self._key = topic, key
        self._stage, self._told = "", 0.0

    def is_wanted(self) -> bool:
        """Whether somebody waits: not after a cancel, nor when the connection was lost."""
        task = self._worker.state.tasks.get(self._key)
        return task is not None and task.state == "executing"

    def tell(self, progress: Progress) -> None:
        """Send a stage's first step, and further ones now and then."""
        now = time.monotonic()
        if progress.stage != self._stage or now - self._told >= _PAUSE:
            self._stage, self._told = progress.stage, now
            said = [progress.stage, int(progress.done), int(progress.total)]
            self._worker.log_event(self._topic, {"key": self._key, "progress": said})


def _follow(steps: Steps[Any], reports: _Reports) -> Any:
    """Do the steps to their end, or until nobody wants them."""
    try:
        while reports.is_wanted():
            reports.tell(next(steps))
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()
    return None
