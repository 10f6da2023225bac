"""Arrays that are mapped from files, read without keeping their pages."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io.errors import reading
from napari_ssp.io.lazy import LazyArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


def forget_pages(array: Any) -> None:
    """Give the pages of a map that is only read back to the system, where it can be told so.

    They count as the process's memory as long as the map lives, though nobody looks at them again.
    """
    # Where a map is a private copy, pages that were written would be lost.
    if not isinstance(array, np.memmap) or array.mode != "r":
        return
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    if isinstance(base, mmap.mmap) and hasattr(base, "madvise"):  # not on Windows
        base.madvise(mmap.MADV_DONTNEED)


class Stacked(LazyArray):
    """Arrays of one shape as one array with a further axis in front.

    Parameters
    ----------
    arrays : sequence of numpy.ndarray
        At least one; of maps only the part that is asked for is in memory.
    """

    def __init__(self, arrays: Sequence[npt.NDArray[Any]]) -> None:
        self._arrays = arrays
        self.shape = (len(arrays), *arrays[0].shape)
        self.dtype = np.result_type(*arrays)

    @property
    def chunks(self) -> tuple[int, ...]:
        """One plane."""
        return (1,) * (self.ndim - 2) + self.shape[-2:]

    def _read(self, box: tuple[range, ...]) -> npt.NDArray[Any]:
        inside = tuple(slice(part.start, part.stop) for part in box[1:])
        block = np.stack([self._arrays[k][inside] for k in box[0]])
        for k in box[0]:
            forget_pages(self._arrays[k])
        return block


class MappedArray(LazyArray):
    """An array that lies in a file as it is in memory; the file is open only while it is read.

    Parameters
    ----------
    path : str
        The file.
    dtype : numpy.dtype
        Type of the stored pixels.
    offset : int
        Where they begin, in bytes.
    shape : tuple of int
        Length of each axis.
    """

    def __init__(
        self, path: str, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]
    ) -> None:
        self._path, self._stored, self._offset = path, dtype, offset
        self.shape, self.dtype = shape, dtype.newbyteorder("=")

    @property
    def chunks(self) -> tuple[int, ...]:
        """One plane."""
        return (1,) * (self.ndim - 2) + self.shape[-2:]

    def _read(self, box: tuple[range, ...]) -> npt.NDArray[Any]:
        with reading(Path(self._path)):
            mapped = np.memmap(self._path, self._stored, "r", self._offset, self.shape)
        return np.array(mapped[tuple(slice(r.start, r.stop) for r in box)], dtype=self.dtype)
