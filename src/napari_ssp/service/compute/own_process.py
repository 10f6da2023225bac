"""The process of an `OwnServer`; ends when the process that started it ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.schema import restore
from napari_ssp.service.compute.bundle import Identity
from napari_ssp.service.compute.processes import READY
from napari_ssp.service.compute.queues.cluster_file import ClusterFile
from napari_ssp.service.compute.serving import Serving, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Run = Callable[[Callable[[str], None], asyncio.Event], Coroutine[Any, Any, None]]

#: Seconds to cancel the jobs of a queue in; the process that started this one waits a little more.
_PATIENCE = 8.0


def main() -> None:
    """Read how to serve from the first line of standard input, and serve until that closes."""
    settings = json.loads(sys.stdin.readline())
    identity = Identity(**settings.pop("identity"))
    cluster = settings.pop("cluster")
    if cluster is None:
        run = partial(serve, Serving(identity=identity, **settings))
        asyncio.run(_serve(run, 0.0))  # workers end with this process
    else:
        from napari_ssp.service.compute.queues.job_cluster import serve_jobs

        run = partial(serve_jobs, restore(ClusterFile, cluster), identity)
        asyncio.run(_serve(run, _PATIENCE))


async def _serve(run: Run, patience: float) -> None:
    end, closed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=wait, daemon=True).start()
    task = asyncio.create_task(run(_announce, end))
    await asyncio.wait([task, asyncio.create_task(closed.wait())], return_when="FIRST_COMPLETED")
    if task.done():
        task.result()  # raises why it could not start
    end.set()
    await asyncio.wait([task], timeout=patience)
    os._exit(0)  # nobody is left to wait for more


def _announce(address: Any) -> None:
    print(READY + str(address), flush=True)


if __name__ == "__main__":
    main()
