"""The computer's memory, and what a file would take of it."""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where Linux says what a container may take.
_LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")


def check_fits(path: Path, shape: Sequence[int], itemsize: int, what: str) -> None:
    """Refuse what would not fit into the computer's memory, before anything is read of it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    shape : sequence of int
        Lengths of what is read at once.
    itemsize : int
        Bytes of each value.
    what : str
        What that is, e.g. "its pixels".

    Raises
    ------
    MemoryError
        If it would take more than there is.
    """
    needed = prod(map(int, shape)) * itemsize
    if needed > memory_size():
        lengths = " x ".join(map(str, shape))
        raise MemoryError(
            f"'{path}' says that {what} are {lengths} values, which take "
            f"{needed / 1e9:.3g} GB of memory; this computer has {memory_size() / 1e9:.3g} GB. "
            "If that is right, save the image in smaller chunks or parts, e.g. as OME-Zarr; if "
            "not, the file is damaged: copy or export it again."
        )


@cache
def memory_size() -> int:
    """Bytes of memory that this process may have at most."""
    sizes = [int(psutil.virtual_memory().total)]
    try:
        sizes.append(int(_LIMIT_FILE.read_text(encoding="ascii")))
    except (OSError, ValueError):
        pass  # no container, or one without a limit
    return min(sizes)
