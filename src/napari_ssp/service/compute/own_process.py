"""The process of an `OwnServer`; ends when the process that started it ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

from napari_ssp.service.compute.bundle import Identity
from napari_ssp.service.compute.processes import READY
from napari_ssp.service.compute.serving import Serving, serve


def main() -> None:
    """Read how to serve from the first line of standard input, and serve until that closes."""
    settings = json.loads(sys.stdin.readline())
    identity = Identity(**settings.pop("identity"))
    asyncio.run(_serve(Serving(identity=identity, **settings)))


async def _serve(serving: Serving) -> None:
    end, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(end.set)

    threading.Thread(target=wait, daemon=True).start()
    task = asyncio.create_task(serve(serving, _announce, asyncio.Event()))
    await asyncio.wait([task, asyncio.create_task(end.wait())], return_when="FIRST_COMPLETED")
    if task.done():
        task.result()  # raises why it could not start
    os._exit(0)  # nobody is left to wait for an orderly end; workers end with this process


def _announce(address: Any) -> None:
    print(READY + str(address), flush=True)


if __name__ == "__main__":
    main()
