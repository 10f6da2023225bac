"""A Zarr array that is read in larger blocks than its chunks, with errors that name the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ssp.io.errors import reading
from napari_ssp.io.lazy import LazyArray
from napari_ssp.io.memory import check_fits

# Attribute of a dask array that is, unchanged, the full level of an image or one channel of it; what
# is made of it by slicing or computing is another array, and has none.
_FOLDER = "_napari_ssp_folder"

_BLOCK_SIDE = 2048
_BLOCK_BYTES = 2**25


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


def remember_folder(level: Any, folder: Path, channel: int | None = None) -> None:
    """Note the folder of the image that a dask array is the full level, or a channel of it, of."""
    if folder.is_dir():
        setattr(level, _FOLDER, (folder.absolute(), channel))


def find_folder(array: Any) -> tuple[Path, int | None] | None:
    """Find the image that an array is the full level of: its folder, and which channel of it.

    None where it is none; without a channel it is the whole image.
    """
    found: tuple[Path, int | None] | None = getattr(array, _FOLDER, None)
    return found


def pick_channel(array: Any, axes: str, channel: int) -> Any:
    """Take a channel of an array; of the full level of an image it is known which one it is."""
    picked = array[tuple(channel if letter == "c" else slice(None) for letter in axes)]
    found = find_folder(array)
    if found is not None and found[1] is None:
        remember_folder(picked, found[0], channel)
    return picked
