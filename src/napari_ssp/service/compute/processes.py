"""A server of one's own, which ends with this process: its workers are processes, or jobs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from napari_ssp.schema import flatten
from napari_ssp.scratch import make_scratch_folder
from napari_ssp.service.compute.bundle import Bundle
from napari_ssp.service.compute.certificates import make_identities

if TYPE_CHECKING:
    from napari_ssp.service.compute.queues.cluster_file import ClusterFile

#: How the process says its address.
READY = "ready "
#: Seconds until it must have ended.
_PATIENCE = 10.0
_MAIN = "napari_ssp.service.compute.own_process"
#: Ctrl-C on a terminal ends jobs in an orderly way, not the processes that do them.
_APART: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if sys.platform == "win32"
    else {"start_new_session": True}
)


class OwnServer:
    """A server on this computer, for this process alone.

    Who else uses the computer is kept out by certificates that are made anew for each start.

    Parameters
    ----------
    workers : int or None
        How many processes; None takes one for each graphics card, or by the number of cores.
    cluster : ClusterFile or None
        Whose jobs are the workers, in place of processes on this computer.
    """

    def __init__(self, workers: int | None = None, cluster: ClusterFile | None = None) -> None:
        self._workers, self._cluster = workers, cluster
        self._process: subprocess.Popen[str] | None = None
        self._bundle = Bundle("")
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Number of the scheduler's process; None where it does not run."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> Bundle:
        """Start it, unless it runs.

        Raises
        ------
        RuntimeError
            When it does not start; the message has its last words.
        """
        with self._lock:
            if self.pid is None:
                self._end()  # of one that was killed something is left
                self._bundle = self._start()
            return self._bundle

    def close(self) -> None:
        """End it, with all its processes."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()  # which it waits for
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> Bundle:
        server, client = make_identities()
        self._folder = make_scratch_folder()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", _MAIN],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                **_APART,
            )
            assert process.stdin is not None and process.stdout is not None
            # Not as arguments, which every user of the computer can read.
            settings = {
                "workers": self._workers,
                "cluster": self._cluster and flatten(self._cluster),
                "identity": asdict(server),
                "folder": str(self._folder),
            }
            process.stdin.write(json.dumps(settings) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith(READY):
                    return Bundle(line.removeprefix(READY).strip(), client)
            process.wait()
            raise RuntimeError(f"The processes that compute did not start. {_last_words(errors)}")


def _last_words(errors: IO[str]) -> str:
    errors.seek(0)
    lines = errors.read().split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
