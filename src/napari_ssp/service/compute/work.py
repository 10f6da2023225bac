"""A worker's part of a request: does its steps, and tells how far it is."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import dask
from distributed import get_worker

from napari_ssp import __version__
from napari_ssp.engine import limit_threads
from napari_ssp.service.compute.shelf import find_missing, lent, resolve
from napari_ssp.service.compute.trainings.learning import learn
from napari_ssp.service.compute.trainings.lesson import Lesson
from napari_ssp.service.compute.trainings.previews import PreviewSender
from napari_ssp.service.compute.wire import Parcel, pack, pack_error, pack_missing, unpack
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.pipelines import prepare_steps
from napari_ssp.service.preparing import SEGMENTATION_LIBRARIES
from napari_ssp.service.requests import BlockRequest, DiameterRequest, SegmentRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.progress import Progress, Steps
    from napari_ssp.service.compute.lending import Book

_LOG = logging.getLogger(__name__)
#: Networks of this worker, which stay warm from request to request.
_MODELS = ModelCache()
#: Jobs of this worker that are to stop before their next step.
_STOPPED: set[str] = set()
#: Seconds between two messages about progress at least.
_PAUSE = 0.1


@dataclass(frozen=True)
class Asked:
    """Who asks for a request, and what comes with it.

    Attributes
    ----------
    topic : str
        Topic of events that who asked listens to.
    key : str
        Name of the task, and of the job.
    books : tuple of Book or None
        Models that it needs; None where it may use all of this computer's.
    version : str
        Version of napari-ssp that asks.
    """

    topic: str
    key: str
    books: tuple[Book, ...] | None = None
    version: str = __version__


def do_request(
    asked: Asked, text: str, arrays: list[NDArray[Any]]
) -> tuple[str, list[NDArray[Any]]]:
    """Do a request on this worker.

    Parameters
    ----------
    asked : Asked
        By whom, and with which models.
    text, arrays : str, list of numpy.ndarray
        The request's parcel.

    Returns
    -------
    str, list of numpy.ndarray
        Parcel of the result, or of the error; of None where nobody wants it any more; or of the
        weights that are missing.
    """
    try:
        # Else a lazy image would be read through the scheduler, by whichever worker.
        with dask.config.set(scheduler="threads"):
            answer = _do(asked, Parcel(text, arrays))
    except Exception as error:
        _LOG.info("Job %s failed: %s", asked.key, error, exc_info=error)
        answer = pack_error(error)
    return answer.text, answer.arrays


def _do(asked: Asked, parcel: Parcel) -> Parcel:
    if asked.version != __version__:
        raise RuntimeError(
            f"The server has napari-ssp {__version__}, this computer {asked.version}, and results "
            "would not be the same. Install one version on both."
        )
    request, reports = unpack(parcel), _Reports(asked.topic, asked.key)
    if asked.books is None:
        return pack(_follow(prepare_steps(request, _MODELS), reports))
    missing = find_missing(asked.books)
    if missing:
        return pack_missing(missing, get_worker().address)
    with lent(asked.books) as shelf:
        own = _with_models(request, shelf)
        if isinstance(own, Lesson):
            follow = partial(_follow, reports=reports)
            return pack(learn(own, follow, lambda error: pack_error(error).text))
        return pack(_follow(prepare_steps(own, _MODELS), reports))


def _with_models(request: Any, shelf: Path) -> Any:
    """Request that names models as they lie on a shelf."""
    if isinstance(request, DiameterRequest | BlockRequest):
        return replace(request, segment=_with_models(request.segment, shelf))
    if isinstance(request, Lesson):
        base = request.request.base
        own = base and resolve(base, shelf)
        return replace(request, request=replace(request.request, base=own))
    names = ("model", "through_model") if isinstance(request, SegmentRequest) else ("model",)
    return replace(request, **{name: resolve(getattr(request, name), shelf) for name in names})


def stop_job(key: str, dask_worker: Any = None) -> bool:
    """Have a job stop before its next step; False where this worker does not do it."""
    task = dask_worker.state.tasks.get(key)
    if task is None or task.state != "executing":
        return False
    _STOPPED.add(key)
    return True


class _Reports:
    """Messages about one job to who asked for it."""

    def __init__(self, topic: str, key: str) -> None:
        self._worker = get_worker()
        self._topic, self._key = topic, key
        self._stage, self._told = "", 0.0
        self._previews = PreviewSender()
        self._untold: Progress | None = None

    def is_wanted(self) -> bool:
        """Whether somebody waits: not after a cancel, nor when the connection was lost."""
        task = self._worker.state.tasks.get(self._key)
        is_asked = task is not None and task.state == "executing"
        return is_asked and self._key not in _STOPPED

    def forget(self) -> None:
        """Note that the job is over."""
        _STOPPED.discard(self._key)

    def tell(self, progress: Progress) -> None:
        """Send a stage's first step, and further ones now and then."""
        now, stage = time.monotonic(), progress.stage.partition(",")[0]
        self._untold = progress
        if stage != self._stage or now - self._told >= _PAUSE:
            self._stage, self._told = stage, now
            self.tell_last()

    def tell_last(self) -> None:
        """Send the last step, unless that was done."""
        progress, self._untold = self._untold, None
        if progress is not None:
            said = [progress.stage, int(progress.done), int(progress.total)]
            preview = self._previews.make(progress.preview)
            event = {"key": self._key, "progress": said, "preview": preview}
            self._worker.log_event(self._topic, event)


def _when_prepared(start: Callable[[], Steps[Any]]) -> Steps[Any]:
    """Begin when the libraries are loaded: Python 3.11 reads no sources in two threads."""
    yield from SEGMENTATION_LIBRARIES.steps("loading the worker's libraries")
    return (yield from start())


def _follow(start: Callable[[], Steps[Any]], reports: _Reports) -> Any:
    """Do the steps to their end, or until nobody wants them."""
    steps = limit_threads(partial(_when_prepared, start))
    try:
        while reports.is_wanted():
            reports.tell(next(steps))
    except StopIteration as stop:
        reports.tell_last()
        return stop.value
    finally:
        reports.forget()
        steps.close()
    return None
