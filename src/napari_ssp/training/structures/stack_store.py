"""Stacks of a training: in memory, or in files that are mapped where they are too many."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.training.data import MEMORY_BUDGET

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.engine.volume import Read


#: Folder of a run in which its stacks are kept.
STACKS = ".stacks"


@dataclass(frozen=True)
class FileReader:
    """Reads boxes of an array in a file; of the file only what is used is read.

    Attributes
    ----------
    path : pathlib.Path
        In NumPy's format.
    """

    path: Path

    def __call__(self, box: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box."""
        # Opened for each box, so that it travels to other processes and no map holds the file.
        return np.array(np.load(self.path, mmap_mode="r")[box])


class StackStore:
    """Keeps arrays up to a budget in memory, and writes the others to a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Made when it is needed, and removed with the store.
    budget : int
        Bytes that are kept in memory.
    """

    def __init__(self, folder: Path, budget: int = MEMORY_BUDGET) -> None:
        self._folder = folder
        self._left = budget
        self._count = 0

    def keep(self, pixels: NDArray[Any]) -> Read:
        """Take an array, and return who reads boxes of it."""
        if pixels.nbytes <= self._left:
            self._left -= pixels.nbytes
            return pixels.__getitem__
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._count}.npy"
        self._count += 1
        np.save(path, pixels)
        return FileReader(path)

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder, ignore_errors=True)
