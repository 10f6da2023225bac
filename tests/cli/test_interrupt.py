"""Ctrl-C, or a scheduler, ends a command, not only the image that it is at."""

from __future__ import annotations

import _thread
import ast
import csv
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import tifffile
import torch

from napari_ssp.cli import reporting
from napari_ssp.cli.batch.image_batch import Batch
from napari_ssp.cli.reporting import as_usage_error, run_with_bar, wait_for
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import ModelCard
from napari_ssp.registry.digests import file_sha256
from napari_ssp.registry.trust import trust
from napari_ssp.service import CancelledError, JobState, ModelService, PredictRequest
from napari_ssp.service.jobs import Job
from napari_ssp.service.pipelines import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    """Programs that a shell starts in the background are deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _interrupted(waited_for: Callable[[], bool] = lambda: True) -> Steps[None]:
    """Work during which somebody presses Ctrl-C."""
    while not waited_for():
        time.sleep(0.01)
    yield Progress("working")
    _thread.interrupt_main()
    while True:
        time.sleep(0.01)
        yield Progress("working")


def test_an_interrupt_ends_the_whole_batch(tmp_path: Path) -> None:
    jobs: list[Job[Any]] = []

    def work(service: Any, request: Any, target: Path) -> tuple[str, dict[str, Any]]:
        job: Job[Any] = Job(request, lambda: _interrupted(lambda: len(job.events.progressed) > 0))
        jobs.append(job)
        threading.Thread(target=job.run, daemon=True).start()
        return str(wait_for(job, "image")), {}

    requests = [PredictRequest(tmp_path / name) for name in ("a.tif", "b.tif")]
    outputs = [[tmp_path / "a"], [tmp_path / "b"]]
    batch = Batch(tmp_path, "local", "tiff", False, tmp_path / "report.json")
    with pytest.raises(KeyboardInterrupt):
        batch.run(requests, outputs, work)
    assert len(jobs) == 1
    with pytest.raises(RuntimeError, match="cancelled"):
        jobs[0].result(timeout=10)
    assert jobs[0].state is JobState.CANCELLED
    assert not (tmp_path / "report.json").exists()


def test_images_whose_jobs_an_interrupt_cancelled_have_not_failed(tmp_path: Path) -> None:
    """Those that are done beside each other end so, each in a thread of its own."""

    def work(service: Any, request: Any, target: Path) -> tuple[str, dict[str, Any]]:
        raise CancelledError("The job was cancelled.")

    report = tmp_path / "report.csv"
    batch = Batch(tmp_path, "local", "tiff", False, None, reports=(report,))
    with pytest.raises(CancelledError):
        batch.run([PredictRequest(tmp_path / "a.tif")], [[tmp_path / "a"]], work)
    with report.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["state"], row["error"]) == ("waiting", "")


def test_no_command_waits_deaf_to_an_interrupt() -> None:
    """Windows does not interrupt a wait that has no end."""
    folder = Path(reporting.__file__).parent
    found = [
        f"{path.name}:{node.lineno}"
        for path in sorted(folder.glob("**/*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("result", "wait", "join")
        and not node.args
        and not node.keywords
    ]
    assert found == []


def test_an_interrupt_is_no_bad_use() -> None:
    with pytest.raises(KeyboardInterrupt), as_usage_error():
        run_with_bar(_interrupted(), "reading")


#: A command that cleans up at its exit, and an object that tells when modules are taken apart.
_COMMAND = """
import atexit, click, os, signal
from napari_ssp.cli import _COMMANDS, main
class Told:
    def __del__(self): os.write(1, b"taken apart ")
told = Told()
@click.command()
def wait():
    atexit.register(os.write, 1, b"cleaned up ")
    print("waiting", flush=True)
    {end}
_COMMANDS["wait"] = "__main__:wait"
main()
"""


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("signal.raise_signal(signal.SIGINT)", 130, "waiting\ncleaned up "),
        ("signal.raise_signal(signal.SIGTERM)", 130, "waiting\ncleaned up "),
        ("raise SystemExit(3)", 3, "waiting\ncleaned up taken apart "),
    ],
)
def test_an_interrupted_command_cleans_up_and_is_gone(end: str, code: int, said: str) -> None:
    """Modules are not taken apart, which takes seconds where torch is among them."""
    program = [sys.executable, "-c", _COMMAND.replace("{end}", end), "wait"]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (code, said)
    assert ended.stderr == ("Aborted!\n" if code == 130 else "")


class _Endless(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.shape[2] > 1):
            x = x * 1.0
        return x


def _endless_model(folder: Path) -> Path:
    """Write a package, already agreed to, whose program never ends."""
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(_Endless()), str(folder / "weights.pt"))
    operations: dict[str, list[Any]] = {"preprocessing": [], "postprocessing": []}
    network = {"format": "torchscript", "input_channels": 1, "sizes": [[16, 16]] * 2}
    network |= {"output": "probability", **operations}
    digest = file_sha256(folder / "weights.pt")
    ModelCard("endless", "package", network, digest, tasks=("cells",)).write(folder)
    trust(digest)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_a_network_that_never_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    model = _endless_model(tmp_path / "endless")
    image = tmp_path / "a.tif"
    tifffile.imwrite(image, np.arange(1024, dtype=np.uint16).reshape(32, 32))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "napari_ssp.cli", "segment", image, "--model", model]
    with subprocess.Popen([*map(str, command), "-o", out], stderr=subprocess.PIPE) as program:
        started: list[psutil.Process] = []
        while not started and program.poll() is None:
            time.sleep(0.05)
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(program.pid).children()
                started = [child for child in children if "graph_worker" in str(child.cmdline())]
        os.kill(program.pid, number)
        _, said = program.communicate(timeout=15)
    assert (program.returncode, said.decode()) == (130, "Aborted!\n")
    assert started
    assert not any(map(psutil.Process.is_running, started))
    assert os.listdir(out) == []


def test_an_interrupt_does_not_wait_for_what_cannot_be_stopped() -> None:
    """As the import of torch: its thread goes with the process."""
    goes_on = threading.Event()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ModelService() as service:
        backend = service._lanes[Lane.COMPUTATION]
        backend.submit(Job(PredictRequest(Path("a.tif")), lambda: goes_on.wait(60)))
        raise KeyboardInterrupt
    goes_on.set()
    # Without an interrupt it is 10 s, in which a step may end and clean up.
    assert time.monotonic() - began < 9
