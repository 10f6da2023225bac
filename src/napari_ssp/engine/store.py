"""An array that lives in memory while it is small and in a temporary file when it is large."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from napari_ssp.engine.tiling import Tile

#: Arrays of more bytes than this go to a file.
MEMORY_LIMIT = 128 * 2**20


class ArrayStore:
    """Room for an array that is written and read block by block.

    The file of a large array is mapped for one block at a time, so the process stays small; it is
    removed when neither the store nor an array from it is left.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the axes.
    dtype : dtype
        Type of the values.
    limit : int, optional
        Bytes up to which the array stays in memory; 128 MiB by default.

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
            self._path = self._folder.path / "array.npy"
            np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                self._path, "w+", self.dtype, self.shape
            )

    @property
    def on_disk(self) -> bool:
        """Whether the array is in a file."""
        return self._path is not None

    def write(self, tile: Tile, block: NDArray[Any]) -> None:
        """Put a block at its place."""
        self._open("r+")[tile] = block

    def read(self, tile: Tile) -> NDArray[Any]:
        """Copy of a block."""
        return np.array(self._open("r")[tile])

    def array(self, editable: bool = False) -> NDArray[Any]:
        """Return the array itself, mapped from its file when it is large.

        Then it is read-only, or with ``editable`` what is written stays in memory.
        """
        array = self._open("c" if editable else "r")
        if self._path is not None:
            # Views of a map keep its file open, not the map: the folder must outlive them all.
            weakref.finalize(array._mmap, _Folder.release, self._folder)  # type: ignore[attr-defined]
        return array

    def _open(self, mode: str) -> NDArray[Any]:
        if self._memory is not None:
            return self._memory
        array: NDArray[Any] = np.load(self._path, mmap_mode=mode)  # type: ignore[arg-type]
        return array


class _Folder:
    """A temporary folder that is removed when nobody refers to this object any more."""

    def __init__(self, size: int) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="napari-ssp-"))
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
