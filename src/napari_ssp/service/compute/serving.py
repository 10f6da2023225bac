"""A server that computes: a scheduler and its workers, one for each graphics card."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask
from distributed import Nanny, Scheduler
from distributed.security import Security

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_ssp.service.compute.bundle import Identity

#: What the libraries that compute on the processor read when they start.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
#: A worker on the processor gets so many cores, where there are more.
_CORES = 8
#: No pages are served, to nobody; and a job is tried again on another worker this often.
CONFIG = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.scheduler.allowed-failures": 2,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


@dataclass(frozen=True)
class Serving:
    """How a server is run.

    Attributes
    ----------
    host : str
        Name or address of this computer, as its clients reach it.
    port : int
        Where it listens; 0 takes a free one.
    identity : Identity or None
        What it proves itself with, and asks of its clients; None is without encryption.
    workers : int or None
        How many; None takes one for each graphics card, or by the number of cores.
    folder : str or None
        Where workers may write what is removed with them; None takes the system's place.
    """

    host: str = "127.0.0.1"
    port: int = 0
    identity: Identity | None = None
    workers: int | None = None
    folder: str | None = None


def find_cards() -> list[str]:
    """Names of the graphics cards of NVIDIA's that this process may use; torch is not loaded."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return [name.strip() for name in shown.split(",") if name.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


def count_cores() -> int:
    """How many cores this process may use."""
    known = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return known or 1


def plan_workers(wanted: int | None, cards: Sequence[str], cores: int) -> list[dict[str, str]]:
    """Environment of each worker: which card it sees, or how many threads it has.

    Parameters
    ----------
    wanted : int or None
        Number of workers; None is one for each card or, without any, for every eight cores.
    cards : sequence of str
        Names of the graphics cards.
    cores : int
        How many the computer has.
    """
    count = wanted or len(cards) or max(1, cores // _CORES)
    if cards:
        return [{"CUDA_VISIBLE_DEVICES": cards[n % len(cards)]} for n in range(count)]
    if count == 1:
        return [{}]  # as many threads as any process takes
    threads = str(max(1, cores // count))
    return [dict.fromkeys(THREADS, threads) for _ in range(count)]


async def serve(serving: Serving, announce: Callable[[str], None], end: asyncio.Event) -> None:
    """Run a server until an event.

    Parameters
    ----------
    serving : Serving
        How.
    announce : callable
        Gets the address as soon as jobs are taken.
    end : asyncio.Event
        When it is set, running jobs are dropped and all processes end.
    """
    scheme = "tls" if serving.identity else "tcp"
    security = make_security(serving.identity)
    shared: dict[str, Any] = {"security": security, "dashboard_address": "127.0.0.1:0"}
    plans = plan_workers(serving.workers, find_cards(), count_cores())
    with dask.config.set(CONFIG):
        async with AsyncExitStack() as stack:
            address = f"{scheme}://{serving.host}"
            scheduler = Scheduler(host=address, port=serving.port, dashboard=False, **shared)
            await stack.enter_async_context(scheduler)
            starts = [
                stack.enter_async_context(
                    Nanny(
                        scheduler.address,
                        nthreads=1,
                        name=f"worker-{number}",
                        host=serving.host,
                        protocol=scheme,
                        local_directory=serving.folder,
                        env=plan,
                        preload=["napari_ssp.service.compute.warming"],
                        silence_logs=logging.WARNING,
                        **shared,
                    )
                )
                for number, plan in enumerate(plans)
            ]
            await asyncio.gather(*starts)
            announce(scheduler.address)
            await end.wait()


def make_security(identity: Identity | None) -> Security:
    """Make dask's settings of a connection; each side proves the same identity in all its roles."""
    if identity is None:
        return Security(require_encryption=False)
    roles = {
        f"tls_{role}_{part}": text
        for role in ("client", "scheduler", "worker")
        for part, text in (("cert", identity.certificate), ("key", identity.key))
    }
    return Security(require_encryption=True, tls_ca_file=identity.authority, **roles)
