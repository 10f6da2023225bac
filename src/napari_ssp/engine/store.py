"""An array that lives in memory while it is small and in a temporary file when it is large."""

from __future__ import annotations

import math
import shutil
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine.tiling import pieces
from napari_ssp.scratch import make_scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

    from napari_ssp.engine.tiling import Index, Tile

#: Arrays of more bytes than this go to a file.
MEMORY_LIMIT = 2**26
# Bytes of a file that are mapped at a time: pages count as the process's memory while they are.
_MAPPED = 2**23


class ArrayStore:
    """Room for an array that is written and read block by block.

    The file of a large array is mapped for a part of a block at a time, so the process stays small;
    it is removed when neither the store nor an array from it is left.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the axes.
    dtype : dtype
        Type of the values.
    limit : int, optional
        Bytes up to which the array stays in memory; 64 MiB by default.

    Raises
    ------
    OSError
        If the temporary folder has too little room; the message says where it is.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: DTypeLike = np.float32, limit: int | None = None
    ) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._memory: NDArray[Any] | None = None
        self._path: Path | None = None
        if math.prod(self.shape) * self.dtype.itemsize <= (
            MEMORY_LIMIT if limit is None else limit
        ):
            self._memory = np.zeros(self.shape, self.dtype)
        else:
            self._folder = _Folder(math.prod(self.shape) * self.dtype.itemsize)
            self._path = self._folder.path / "array.raw"
            self._open("w+")

    @property
    def on_disk(self) -> bool:
        """Whether the array is in a file."""
        return self._path is not None

    def write(self, tile: Index, block: NDArray[Any]) -> None:
        """Put a block at its place."""
        for piece, inside in self._pieces(tile):
            self._open("r+")[piece] = block[inside]

    def add(self, tile: Index, block: NDArray[Any]) -> None:
        """Add a block to what is at its place."""
        for piece, inside in self._pieces(tile):
            self._open("r+")[piece] += block[inside]

    def read(self, tile: Index) -> NDArray[Any]:
        """Copy of a block."""
        # A view of one value has the block's lengths, whatever the index.
        lengths = np.broadcast_to(self.dtype.type(0), self.shape)[tile].shape
        block = np.empty(lengths, self.dtype)
        for piece, inside in self._pieces(tile):
            block[inside] = self._open("r")[piece]
        return block

    def array(self, editable: bool = False) -> NDArray[Any]:
        """Return the array itself, mapped from its file when it is large.

        Then it is read-only, or with ``editable`` what is written stays in memory.
        """
        array = self._open("c" if editable else "r")
        if self._path is not None:
            # Views of a map keep its file open, not the map: the folder must outlive them all.
            weakref.finalize(array._mmap, _Folder.release, self._folder)  # type: ignore[attr-defined]
        return array

    def _open(self, mode: Any) -> NDArray[Any]:
        if self._memory is not None:
            return self._memory
        return np.memmap(self._path, self.dtype, mode, shape=self.shape)  # type: ignore[arg-type]

    def _pieces(self, tile: Index) -> Iterator[tuple[Index, Tile]]:
        if self._memory is not None:
            return iter([(tile, (...,))])  # type: ignore[list-item]
        return pieces(tile, self.shape, _MAPPED // self.dtype.itemsize)


class _Folder:
    """A temporary folder that is removed when nobody refers to this object any more."""

    def __init__(self, size: int) -> None:
        self.path = make_scratch_folder()
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        free = shutil.disk_usage(self.path).free
        if free < size:
            raise OSError(
                f"The result needs {size / 2**30:.1f} GiB, but the temporary folder "
                f"{self.path.parent} has {free / 2**30:.1f} GiB left. Free some room, set TMPDIR "
                "to a folder on a larger disk, or choose a smaller region."
            )

    def release(self) -> None:
        """End a reference that was only held to keep the folder."""
