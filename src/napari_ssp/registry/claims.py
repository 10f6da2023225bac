"""Claims on results: no two windows or commands of a user make one result at the same time."""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from napari_ssp.atomic import write_text
from napari_ssp.registry.folders import cache_folder
from napari_ssp.registry.user_lists import LOCKS, PATIENCE, locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_NAME = "results"


@contextmanager
def claimed(targets: Iterable[Path]) -> Iterator[None]:
    """Keep others from making some results until the block ends, or this process does.

    Parameters
    ----------
    targets : iterable of pathlib.Path
        Files and folders that are made; they need not exist.

    Raises
    ------
    BlockingIOError
        When another window or command is making one of them.
    """
    wanted = [str(path.resolve()) for path in targets]
    with ExitStack() as held:
        try:
            held.enter_context(_claim(wanted))
        except BlockingIOError:
            raise
        except (OSError, NotImplementedError):  # a home that takes no file, or no lock
            pass
        yield


@contextmanager
def _claim(wanted: list[str]) -> Iterator[None]:
    """Note what is made, and hold a lock as long as it is."""
    from filelock import FileLock

    folder = cache_folder() / LOCKS / _NAME
    folder.mkdir(parents=True, exist_ok=True)
    claim = folder / f"{uuid.uuid4().hex}.json"
    # Released by whichever thread ends the work.
    lock = FileLock(_lock_of(claim), thread_local=False)
    with locked(_NAME, PATIENCE):
        for other in folder.glob("[!.]*.json"):
            _check_free(other, wanted)
        write_text(claim, json.dumps(wanted))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
        _forget(claim)


def _check_free(other: Path, wanted: list[str]) -> None:
    """Refuse what another claim holds; one whose process was killed is removed."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(_lock_of(other), timeout=0):
            pass
    except Timeout:
        shared = set(wanted) & set(_read(other))
        if shared:
            more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
            raise BlockingIOError(
                f"Another window or command is making '{min(shared)}'{more} at this moment, so "
                "nothing was begun. Wait until that one has ended, or end it."
            ) from None
    else:
        _forget(other)


def _read(claim: Path) -> list[str]:
    try:
        found: list[str] = json.loads(claim.read_text(encoding="utf-8"))
    except FileNotFoundError:  # it has just ended
        return []
    return found


def _lock_of(claim: Path) -> Path:
    return claim.with_suffix(".lock")


def _forget(claim: Path) -> None:
    for path in (claim, _lock_of(claim)):
        with suppress(OSError):  # Windows keeps what another process is looking at
            path.unlink(missing_ok=True)
