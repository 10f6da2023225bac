"""Lists of the user's own, as JSON files that several processes change one after the other."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_ssp.atomic import write_text
from napari_ssp.registry.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Folder of locks in the user's.
LOCKS = "locks"
#: Seconds that a change waits for those of others, which take milliseconds.
PATIENCE = 30.0


def read_list(name: str) -> list[str]:
    """Texts in a file of the user's folder; empty where it is missing or damaged."""
    try:
        found = json.loads((cache_folder() / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def change_list(name: str, change: Callable[[list[str]], Iterable[str]]) -> None:
    """Read a list, change it and write it, while no other process does.

    Raises
    ------
    BlockingIOError
        When another process does not let go of it.
    """
    with locked(name, PATIENCE):
        text = json.dumps(list(change(read_list(name))), indent=2)
        write_text(cache_folder() / name, text + "\n")


@contextmanager
def locked(name: str, patience: float = 0.0) -> Iterator[None]:
    """Keep other processes of this user away from what a name stands for.

    Raises
    ------
    BlockingIOError
        When another one is at it for longer than the patience, in seconds.
    """
    from filelock import FileLock, Timeout

    folder = cache_folder() / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise BlockingIOError(
            f"Another window or command is working on '{name}'. Wait until it has ended, then try "
            "again."
        ) from error
    try:
        yield
    finally:
        lock.release()
