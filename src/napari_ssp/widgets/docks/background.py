"""A thread for work that needs no network, so that it need not wait for one."""

from __future__ import annotations

import atexit
from functools import cache
from typing import TYPE_CHECKING, Any

from napari_ssp.service import Job
from napari_ssp.service.local import LocalBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Steps


class Background:
    """Does long work step by step, one after the other, on a thread of its own."""

    def __init__(self) -> None:
        self._backend = LocalBackend()

    def submit(self, request: Callable[[], Steps[Any]]) -> Job[Any]:
        """Line up work.

        Parameters
        ----------
        request : callable
            Makes, on the worker, the generator that does the work.
        """
        job: Job[Any] = Job(request, request)
        self._backend.submit(job)
        return job

    def close(self) -> None:
        """Cancel all work and end the thread."""
        self._backend.close()


@cache
def shared_background(purpose: str) -> Background:
    """Workbench that all docks share for a purpose; closed when Python ends."""
    bench = Background()
    atexit.register(bench.close)
    return bench
