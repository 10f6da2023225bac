"""One worker thread that does jobs in the order they come."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.service.jobs import Job

#: Seconds to wait for a thread to end.
PATIENCE = 10.0


class LocalBackend:
    """Runs jobs one after the other on a thread of its own, which starts with the first job."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._known: list[Job[Any]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, job: Job[Any]) -> None:
        """Put a job at the end of the line."""
        with self._lock:
            if self._thread is None:
                # A daemon: a network in mid-window must not keep a closed napari alive.
                self._thread = threading.Thread(
                    target=self._work, name="napari-ssp worker", daemon=True
                )
                self._thread.start()
            self._known.append(job)
        self._jobs.put(job)

    def cancel(self) -> None:
        """Cancel what is waiting or running."""
        with self._lock:
            known = list(self._known)
        for job in known:
            job.cancel()

    def close(self, patience: float = PATIENCE) -> None:
        """Cancel what is waiting or running and wait, in seconds, for the thread to end."""
        with self._lock:
            thread, self._thread = self._thread, None
        self.cancel()
        if thread is not None:
            self._jobs.put(None)
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
