"""The computer's memory, and what a file would take of it."""

from __future__ import annotations

import os
import sys
from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")
#: Where a system does not say how much it has.
_UNKNOWN = 2**36


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
    sizes = [_physical_size()]
    try:
        sizes.append(int(_LIMIT_FILE.read_text(encoding="ascii")))
    except (OSError, ValueError):
        pass  # no container, or one without a limit
    return min(sizes)


def _physical_size() -> int:
    if sys.platform == "win32":
        return _size_on_windows()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return _UNKNOWN


def _size_on_windows() -> int:
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    windows: object = getattr(ctypes, "windll", None)
    kernel = getattr(windows, "kernel32", None)
    if kernel is None or not kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes)):
        return _UNKNOWN
    return kilobytes.value * 1024
