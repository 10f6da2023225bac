"""Ctrl-C ends a command, not only the image that it is at."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from napari_ssp.cli.image_command import Batch
from napari_ssp.cli.reporting import as_usage_error, run_with_bar, wait_for
from napari_ssp.progress import Progress, Steps
from napari_ssp.service import JobState, PredictRequest
from napari_ssp.service.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
    targets = [tmp_path / "a", tmp_path / "b"]
    batch = Batch(tmp_path, "local", "tiff", False, tmp_path / "report.json")
    with pytest.raises(KeyboardInterrupt):
        batch.run(requests, targets, work)
    assert len(jobs) == 1
    with pytest.raises(RuntimeError, match="cancelled"):
        jobs[0].result(timeout=10)
    assert jobs[0].state is JobState.CANCELLED
    assert not (tmp_path / "report.json").exists()


def test_an_interrupt_is_no_bad_use() -> None:
    with pytest.raises(KeyboardInterrupt), as_usage_error():
        run_with_bar(_interrupted(), "reading")
