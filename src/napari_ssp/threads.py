"""Number of threads of the CPU that a run takes: chosen for a command, or preferred by the user."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_ssp.preferences import read_preferences

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Environment variable that OpenMP, and so torch, begins with.
OPENMP = "OMP_NUM_THREADS"
_chosen = 0


@contextmanager
def chosen_threads(count: int) -> Iterator[None]:
    """Let all runs of this process take so many threads, whatever else is said; 0 chooses none."""
    global _chosen
    before, _chosen = _chosen, count
    try:
        yield
    finally:
        _chosen = before


def own_threads() -> int:
    """Count the threads that libraries are to be given; 0 leaves them what they begin with.

    What the environment says they have read themselves, so a preference gives way to it.
    """
    return _chosen or (0 if _of_environment() else read_preferences().threads)


def count_threads() -> int:
    """Count the threads that work of our own is spread over."""
    return own_threads() or _of_environment() or os.cpu_count() or 1


def _of_environment() -> int:
    wanted = os.environ.get(OPENMP, "")
    return int(wanted) if wanted.isdigit() else 0
