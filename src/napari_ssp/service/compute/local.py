"""Threads of this process that do jobs in the order they come."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.service.jobs import Job

#: Seconds to wait for threads to end.
PATIENCE = 10.0


class LocalBackend:
    """Runs jobs on threads of its own, which start with the first jobs.

    Parameters
    ----------
    threads : int
        Jobs that run at a time; with one, they run one after the other.
    """

    def __init__(self, threads: int = 1) -> None:
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._known: list[Job[Any]] = []
        self._most = threads
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def submit(self, job: Job[Any]) -> None:
        """Put a job at the end of the line."""
        with self._lock:
            self._known.append(job)
            if len(self._threads) < min(self._most, len(self._known)):
                # A daemon: a network in mid-window must not keep a closed napari alive.
                thread = threading.Thread(target=self._work, name="napari-ssp worker", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(job)

    def cancel(self) -> None:
        """Cancel what is waiting or running."""
        with self._lock:
            known = list(self._known)
        for job in known:
            job.cancel()

    def close(self, patience: float = PATIENCE) -> None:
        """Cancel what is waiting or running and wait, in seconds, for the threads to end."""
        with self._lock:
            threads, self._threads = self._threads, []
        self.cancel()
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join(patience)

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        job = self._jobs.get()  # in a frame that ends: the image of a done job may go
        if job is not None:
            job.run()
            with self._lock:
                if job in self._known:
                    self._known.remove(job)
        return job is not None
