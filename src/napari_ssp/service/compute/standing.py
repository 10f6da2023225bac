"""The standing of a request on its server: what computes there, and how many are before it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from napari_ssp.service.compute.serving import count_cores, find_cards

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Name under which a worker tells its scheduler what it computes on.
DEVICE = "napari-ssp device"
_NOT_DONE = ("processing", "queued", "no-worker", "waiting")


def describe_device() -> str:
    """Say what this worker computes on; torch, which takes long to load, is not asked."""
    cards, program = find_cards(), shutil.which("nvidia-smi")
    if not cards or program is None:
        cores = os.environ.get("OMP_NUM_THREADS") or str(count_cores())
        return f"a processor of {cores} core{'' if cores == '1' else 's'}"
    query = [program, "--query-gpu=name", "--format=csv,noheader", "-i", cards[0]]
    done = subprocess.run(query, capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or "a graphics card"


def find_standing(key: str, dask_scheduler: Any = None) -> tuple[int, list[str]]:
    """Look on the scheduler how many tasks are before one, and what its workers compute on."""
    tasks = dask_scheduler.tasks
    before = [
        task
        for task in tasks.values()
        if key in tasks and task.state in _NOT_DONE and task.priority < tasks[key].priority
    ]
    return len(before), [ws.extra.get(DEVICE, "a worker") for ws in dask_scheduler.workers.values()]


def describe_standing(before: int, devices: Sequence[str]) -> str:
    """Say how long the line is, and on what it waits.

    Parameters
    ----------
    before : int
        Requests that are done or begun first.
    devices : sequence of str
        What each worker computes on.
    """
    if not devices:
        return "waiting for a worker to start"
    places = ", ".join(
        f"{devices.count(one)} × {one}" if devices.count(one) > 1 else one
        for one in dict.fromkeys(devices)
    )
    if before < len(devices):
        return f"starting on {places}"
    jobs = "job" if before == 1 else "jobs"
    return f"waiting for {places}, {before} {jobs} before this one"
