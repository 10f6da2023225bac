"""A Zarr array that is read in larger blocks than its chunks, with errors that name the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_ssp.io.errors import reading
from napari_ssp.io.lazy import LazyArray
from napari_ssp.io.memory import check_fits

# Attribute of a dask array that is, unchanged, the full level of an image or a channel of it; what
# is made of it by slicing or computing is another array, and has none.
_SOURCE = "_napari_ssp_source"

_BLOCK_SIDE = 2048
_BLOCK_BYTES = 2**25


class ZarrSource(NamedTuple):
    """What of an image an array is.

    Attributes
    ----------
    folder : pathlib.Path
        Of the image.
    axes : str
        Of the array.
    channel : int or None
        Which channel of several; None are all of them.
    """

    folder: Path
    axes: str
    channel: int | None = None


class ZarrArray(LazyArray):
    """One level of an OME-Zarr image.

    Parameters
    ----------
    path : str
        Its folder, for messages.
    array : zarr.Array
        The open array.
    """

    def __init__(self, path: str, array: Any) -> None:
        self._path, self._array = path, array
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype = np.dtype(array.dtype).newbyteorder("=")

    @property
    def chunks(self) -> tuple[int, ...]:
        """The array's chunks, joined along y and x to blocks that are worth a step of work."""
        chunks = [max(1, min(c, n)) for c, n in zip(self._array.chunks, self.shape, strict=True)]
        for axis in range(len(chunks) - 1, max(len(chunks) - 3, -1), -1):
            room = _BLOCK_BYTES // (int(np.prod(chunks)) * self.dtype.itemsize)
            many = max(1, min(room, _BLOCK_SIDE // chunks[axis]))
            chunks[axis] = min(self.shape[axis], chunks[axis] * many)
        return tuple(chunks)

    def _read(self, box: tuple[range, ...]) -> npt.NDArray[Any]:
        # A chunk is decoded as a whole, however small the part that is asked for.
        check_fits(Path(self._path), self._array.chunks, self.dtype.itemsize, "its chunks")
        with reading(Path(self._path), "a block cannot be read"):
            block = self._array[tuple(slice(r.start, r.stop) for r in box)]
        return np.asarray(block, dtype=self.dtype)


def remember_source(level: Any, source: ZarrSource) -> None:
    """Note what a dask array is; what lies in a zip is not found by others."""
    if source.folder.is_dir():
        setattr(level, _SOURCE, source)


def find_source(array: Any) -> ZarrSource | None:
    """Find what of an image an array is; None where it is of none, or a part of the planes."""
    found: ZarrSource | None = getattr(array, _SOURCE, None)
    return found


def pick_channel(array: Any, axes: str, channel: int) -> Any:
    """Take a channel of an array; of the full level of an image it stays known what it is."""
    picked = array[tuple(channel if letter == "c" else slice(None) for letter in axes)]
    if (source := find_source(array)) is not None:
        remember_source(picked, ZarrSource(source.folder, axes.replace("c", ""), channel))
    return picked
