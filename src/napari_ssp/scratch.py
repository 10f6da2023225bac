"""Temporary folders, named after who made them; what a killed process left is removed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

# Several computers may share a folder, and a process's number says nothing on another one.
_START = f"napari-ssp-{re.sub(r'[^A-Za-z0-9]', '_', platform.node())[:64]}-"
_NAME = re.compile(rf"\.?{_START}(\d{{1,10}})-\w+")


def make_scratch_folder(parent: Path | None = None) -> Path:
    """Make a temporary folder, which who asked for it removes.

    Parameters
    ----------
    parent : pathlib.Path or None
        Folder to make it in, hidden there; None takes the system's for temporary files.

    Returns
    -------
    pathlib.Path
        The new folder.

    Raises
    ------
    OSError
        When nothing can be written there.
    """
    place = Path(tempfile.gettempdir()) if parent is None else parent
    _remove_leftovers(place)
    hidden = "" if parent is None else "."
    return Path(tempfile.mkdtemp(prefix=f"{hidden}{_START}{os.getpid()}-", dir=place))


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Give a temporary folder that is removed at the end; see `make_scratch_folder`."""
    folder = make_scratch_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _remove_leftovers(place: Path) -> None:
    """Remove what processes left that were killed; once in each process."""
    for path in place.iterdir():
        found = _NAME.fullmatch(path.name)
        if (
            found
            and path.is_dir()
            and not path.is_symlink()
            and not psutil.pid_exists(int(found[1]))
        ):
            shutil.rmtree(path, ignore_errors=True)  # others' folders stay
