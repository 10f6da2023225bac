"""A connection to a server that computes; made when it is first needed, and again when it broke."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from napari_ssp.progress import Progress
from napari_ssp.service.compute.entry import check_entry
from napari_ssp.service.compute.lost import LostError, leave_out_of_log
from napari_ssp.service.compute.serving import make_security
from napari_ssp.service.compute.shelf import keep_weights
from napari_ssp.service.compute.standing import describe_standing, find_standing
from napari_ssp.service.compute.trainings.previews import read_preview
from napari_ssp.service.compute.wire import Parcel
from napari_ssp.service.compute.work import Asked, do_request, stop_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.service.compute.bundle import Bundle
    from napari_ssp.service.compute.lending import Book

#: Seconds to wait for an answer of the server.
_PATIENCE = 10.0
#: Seconds between two looks whether a job has stopped.
_PAUSE = 0.1
#: A whole image is a part of the task: it must be there when the task goes to another worker.
_CONFIG = {"distributed.admin.large-graph-warning-threshold": "1 TiB"}


class Cluster:
    """A connection that many jobs share.

    Parameters
    ----------
    find : callable
        Gives the server's bundle; starts the server where it is one's own.
    end : callable
        Called after the connection was closed.
    shares_files : bool
        Whether the workers see the files of this process, models among them, under their names.
    most_workers : int
        Workers that come when they are needed; 0 where all are there.
    """

    def __init__(
        self,
        find: Callable[[], Bundle],
        end: Callable[[], None] = lambda: None,
        shares_files: bool = False,
        most_workers: int = 0,
    ) -> None:
        self._find, self._end, self._most_workers = find, end, most_workers
        self.shares_files = shares_files
        self._client: Any = None
        self._topic = f"napari-ssp {uuid.uuid4().hex}"
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()

    def submit(self, parcel: Parcel, books: tuple[Book, ...] | None = None) -> Task:
        """Send a request, and say which models it needs; with None, it may use the workers' own.

        Raises
        ------
        LostError
            When there is no connection.
        """
        key, client = f"napari-ssp-{uuid.uuid4().hex}", self._client
        if client is None or not is_connected(client):
            raise LostError("There is no connection.")
        self._tasks[key] = task = Task(self, client, key)
        with dask.config.set(_CONFIG):
            future = client.submit(
                do_request,
                Asked(self._topic, key, books),
                parcel.text,
                parcel.arrays,
                key=key,
                pure=False,
            )
        task.follow(future)
        return task

    def send_weights(self, sha256: str, path: Path, worker: str) -> None:
        """Give a worker, and all that share its folder, the weights of a model.

        Raises
        ------
        ValueError
            When they were damaged, here or on their way.
        """
        content = np.fromfile(path, np.uint8)
        with dask.config.set(_CONFIG):
            sent = self._client.submit(
                keep_weights, sha256, content, workers=[worker], pure=False, retries=1
            )
            sent.result()

    def count_workers(self) -> int:
        """How many workers there are, or will be; connects where there is no connection.

        Raises
        ------
        PermissionError, ConnectionError
            As `check_entry`.
        """
        self.connect()
        return max(len(self._client.nthreads()), self._most_workers)

    def forget(self, key: str) -> None:
        """Listen to a task no more."""
        self._tasks.pop(key, None)

    def close(self) -> None:
        """End the connection; what runs is dropped."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            _close(client)
        self._end()

    def connect(self) -> None:
        """Connect to the server, unless that is done.

        Raises
        ------
        PermissionError, ConnectionError
            As `check_entry`.
        """
        with self._lock:
            if self._client is not None and is_connected(self._client):
                return
            old, self._client = self._client, None
            if old is not None:
                _close(old)
            bundle = self._find()
            check_entry(bundle, _PATIENCE)
            leave_out_of_log()
            self._client = client = Client(
                bundle.address,
                security=make_security(bundle.identity),
                timeout=_PATIENCE,
                set_as_default=False,
            )
            client.subscribe_topic(self._topic, self._hear)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        _, said = event
        task = self._tasks.get(said["key"])
        if task is not None:
            stage, done, total = said["progress"]
            task.news.put(Progress(stage, done, total, read_preview(said["preview"])))


class Task:
    """A request that was sent.

    Attributes
    ----------
    news : queue.SimpleQueue
        Its progress.
    """

    def __init__(self, cluster: Cluster, client: Any, key: str) -> None:
        self.news: SimpleQueue[Progress | None] = SimpleQueue()
        self._cluster, self._client, self._key = cluster, client, key
        self._future: Any = None

    def follow(self, future: Future) -> None:
        """Watch its end."""
        self._future = future
        future.add_done_callback(lambda _: self.news.put(None))

    def wait(self, seconds: float) -> Progress | None:
        """Wait for news; None where none came in time."""
        try:
            return self.news.get(timeout=seconds)
        except Empty:
            return None

    def describe_standing(self) -> str:
        """Say what computes, and how many are before this one; empty where that is not known."""
        # A server of another version may lack what is asked of it.
        with suppress(OSError, ImportError, AttributeError):
            return describe_standing(*self._client.run_on_scheduler(find_standing, self._key))
        return ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._future.status != "pending" or not is_connected(self._client)

    def answer(self) -> Parcel:
        """Take what the worker gave, once it is over.

        Raises
        ------
        LostError
            When the connection broke.
        RuntimeError
            When the worker could not do it.
        """
        status = self._future.status
        if status == "finished":
            try:
                return Parcel(*self._future.result(timeout=None))
            except Exception as error:
                if is_connected(self._client):
                    raise
                raise LostError from error
        if status == "error":
            raise RuntimeError(_explain(self._future.exception())) from None
        raise LostError

    def stop(self, patience: float) -> Parcel | None:
        """Have its worker end it before its next step, and take what it gives then.

        Parameters
        ----------
        patience : float
            Seconds to wait for that.

        Returns
        -------
        Parcel or None
            None where no worker has begun it, or none answers.
        """
        with suppress(OSError):
            if any(self._client.run(stop_job, self._key).values()):
                end = time.monotonic() + patience
                while not self.is_over and time.monotonic() < end:
                    time.sleep(_PAUSE)
                return self.answer() if self._future.status == "finished" else None
        return None

    def close(self) -> None:
        """Drop it; a worker in the midst of it stops before its next step."""
        self._cluster.forget(self._key)
        if is_connected(self._client):
            self._future.cancel()


def _close(client: Any) -> None:
    try:
        client.close(timeout=1)
    except TimeoutError:  # it goes on to close by itself
        return
    except Exception:
        # One that lost its server awaits the task that failed to connect anew, each time it is
        # closed, also as garbage: without it, it ends.
        client._handle_report_task = None
        with suppress(Exception):
            client.close(timeout=1)


def is_connected(client: Any) -> bool:
    """Whether a server hears what is sent."""
    comm = client.scheduler_comm
    return client.status == "running" and comm is not None and not comm.comm.closed()


def _explain(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        return (
            f"The worker process ended {error.allowed_failures + 1} times while it did this "
            "request, most likely for lack of memory. Choose a smaller region, or smaller batches; "
            "the server's log may say more."
        )
    return f"The worker could not do this request: {type(error).__name__}: {error}"
