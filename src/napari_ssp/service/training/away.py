"""Runs that are done elsewhere: their folders here wait for what comes back."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_ssp.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_ssp.progress import Steps

_AWAY: set[Path] = set()
_PAUSE = 0.1  # seconds


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Let who needs the folder of a run wait until it is back."""
    place = folder.resolve()
    _AWAY.add(place)
    try:
        yield
    finally:
        _AWAY.discard(place)


def is_away(folder: Path) -> bool:
    """Whether the run of a folder is done elsewhere now."""
    return folder.resolve() in _AWAY


def wait_home(folder: Path) -> Steps[None]:
    """Wait until a run is back that was just stopped elsewhere."""
    while is_away(folder):
        yield Progress("waiting for what was learned elsewhere")
        time.sleep(_PAUSE)
