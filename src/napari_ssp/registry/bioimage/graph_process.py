"""A package's network in a process of its own: bounded, and ended at once when it is not wanted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, Any

import psutil

from napari_ssp.registry.bioimage.graph_worker import read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

#: Not multiprocessing: that would run a user's script a second time, which need not be made for it.
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from napari_ssp.registry.bioimage.graph_worker import main; main()"
)
#: Seconds for one answer.
PATIENCE = 600.0
#: Of the memory that is free, the share that a network may take; and what it may take at least.
_SHARE, _LEAST = 0.8, 2**30
_LOOK = 0.1
_NO_MEMORY = ("alloc", "not enough memory", "out of memory", "into memory")
#: Of Windows, which shows a console for each process otherwise.
_WITHOUT_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class GraphError(RuntimeError):
    """A network in a file that failed, asked for too much memory, or did not end."""


class GraphRequest:
    """What one request has a network compute; once stopped, it computes nothing any more.

    Parameters
    ----------
    process : GraphProcess
        Where the network runs; other requests go on in it.
    """

    def __init__(self, process: GraphProcess) -> None:
        self._process = process
        self.is_stopped = False

    def compute(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the first output of an array; errors as of `GraphProcess.compute`."""
        return self._process.compute(values, self)

    def stop(self) -> None:
        """End what is computed for this request, now or later; may be called on any thread."""
        self.is_stopped = True
        self._process.end_for(self)


class GraphProcess:
    """Runs a network in a process that starts when it is first needed, and then stays.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    path : pathlib.Path
        The network, with its weights in it.
    kind : str
        ``"onnx"`` or ``"torchscript"``.
    device : str
        Where it computes; graphs of ONNX on the CPU.
    threads : int
        Threads that it computes with.
    most_bytes : int or None
        Memory that it may take; None takes most of what is free when it starts.
    patience : float
        Seconds for one answer, after which it is ended.

    Attributes
    ----------
    path : pathlib.Path
        Where the network is; it may be moved meanwhile.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        kind: str,
        *,
        device: str = "cpu",
        threads: int = 1,
        most_bytes: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.path, self._name, self._kind = path, name, kind
        self._device, self._threads = device, threads
        self._wanted_bytes, self._most_bytes = most_bytes, 0
        self._patience = patience
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._end: Any = None
        #: Whose turn it is.
        self._request: GraphRequest | None = None

    @property
    def pid(self) -> int | None:
        """Number of the process; None where none runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process and load the network, unless that was done.

        Raises
        ------
        GraphError
            When it cannot be loaded.
        """
        with self._lock, self._turn_of(GraphRequest(self)):
            if self.pid is None:
                self._start()

    def compute(
        self, values: NDArray[np.float32], request: GraphRequest | None = None
    ) -> NDArray[np.float32]:
        """Compute the first output of an array, for a request or on its own.

        Raises
        ------
        GraphError
            When the network fails, takes too much memory, does not end in time, or was stopped.
        """
        with self._lock, self._turn_of(request or GraphRequest(self)):
            if self.pid is None:
                self._start()
            found = self._ask({}, values)
        assert found is not None
        return found

    def stop(self) -> None:
        """End the process at once, whatever it does; may be called on any thread."""
        request, end = self._request, self._end
        if request is not None:
            request.is_stopped = True
        if end is not None:
            end()

    def end_for(self, request: GraphRequest) -> None:
        """End the process if it computes for a request; that of others goes on."""
        with self._turn:
            if self._request is request and self._end is not None:
                self._end()

    @contextmanager
    def _turn_of(self, request: GraphRequest) -> Iterator[None]:
        """Let a request have the process, unless it was stopped before."""
        with self._turn:
            self._request = request
        try:
            self._refuse_stopped()
            yield
        finally:
            with self._turn:
                self._request = None

    def _refuse_stopped(self) -> None:
        if self._request is not None and self._request.is_stopped:
            raise GraphError(f"The network of '{self._name}' was stopped.")

    def _start(self) -> None:
        free = psutil.virtual_memory().available
        self._most_bytes = self._wanted_bytes or max(int(free * _SHARE), _LEAST)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # An interrupt from the keyboard is for who waits, and who ends this one then.
            start_new_session=True,
            creationflags=_WITHOUT_WINDOW,
        )
        self._end = weakref.finalize(self, _kill, self._process)
        self._answers = SimpleQueue()
        assert self._process.stdout is not None
        listener = (self._process.stdout, self._answers, self._most_bytes)
        threading.Thread(target=_listen, args=listener, daemon=True).start()
        wanted = {
            "path": str(self.path),
            "format": self._kind,
            "device": self._device,
            "threads": self._threads,
            "most_bytes": self._most_bytes,
        }
        try:
            self._ask(wanted)
        except BaseException as error:
            self.stop()
            if isinstance(error, GraphError):
                raise GraphError(
                    f"{self.path.name} of '{self._name}' cannot be loaded: {error}"
                ) from error
            raise

    def _ask(
        self, head: dict[str, Any], values: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32] | None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._refuse_stopped()  # while it was being started
        try:
            write_message(self._process.stdin, head, values)
        except (OSError, ValueError) as error:
            raise self._gone() from error
        message = self._wait()
        if message is None:
            raise self._gone()
        answer, found = message
        if "error" in answer:
            raise GraphError(self._failed(str(answer["error"])))
        return found  # type: ignore[no-any-return]

    def _wait(self) -> Any:
        """Wait for an answer, and watch what the process takes meanwhile."""
        assert self._process is not None
        end = time.monotonic() + self._patience
        while True:
            try:
                return self._answers.get(timeout=_LOOK)
            except Empty:
                pass
            if _memory(self._process.pid) > self._most_bytes + _LEAST:
                self.stop()
                raise GraphError(self._too_much())
            if time.monotonic() > end:
                self.stop()
                raise GraphError(
                    f"The network of '{self._name}' gave no answer within {self._patience:.3g} s "
                    "and was ended. Choose a smaller image to see whether it ever does."
                )

    def _failed(self, words: str) -> str:
        if any(said in words.lower() for said in _NO_MEMORY):
            return f"{self._too_much()} ({words[:300]})"
        return f"The network of '{self._name}' failed: {words[:600]}"

    def _too_much(self) -> str:
        return (
            f"The network of '{self._name}' asked for more memory than the "
            f"{self._most_bytes / 1e9:.3g} GB that it may have here. Choose a smaller image, or "
            "another model."
        )

    def _gone(self) -> GraphError:
        assert self._process is not None
        self.stop()
        return GraphError(
            f"The process of the network of '{self._name}' ended with the code "
            f"{self._process.wait(5)}: it was stopped, or the network broke it."
        )


def _listen(stream: IO[bytes], answers: SimpleQueue[Any], most_bytes: int) -> None:
    """Take answers as they come; None at the end, or when one is none."""
    try:
        while (message := read_message(stream, most_bytes)) is not None:
            answers.put(message)
    except (OSError, ValueError, KeyError, TypeError, MemoryError):
        pass
    answers.put(None)


def _memory(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(5)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what was not sent yet
                stream.close()
