"""Arrays that are read from a file in boxes, and their way into dask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence


class LazyArray(ABC):
    """An array that reads only the box it is asked for.

    Attributes
    ----------
    shape : tuple of int
        Length of each axis.
    dtype : numpy.dtype
        Type of the pixels.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    @abstractmethod
    def chunks(self) -> tuple[int, ...]:
        """Lengths of a block that can be read without reading much else."""

    @abstractmethod
    def _read(self, box: tuple[range, ...]) -> npt.NDArray[Any]:
        """Read a box, one range of step 1 per axis."""

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *[slice(None)] * (self.ndim - len(key)))
        box, rest = zip(*map(_bounds, key, self.shape), strict=True)
        return np.asarray(self._read(box)[rest])


def as_dask(array: LazyArray) -> Any:
    """Wrap a lazy array into a dask array of its chunks; nothing is read."""
    # dask takes a while to import, and small files do without it.
    import dask.array as da

    from_array: Any = da.from_array
    meta = np.empty((0,) * array.ndim, array.dtype)
    return from_array(array, chunks=array.chunks, name=False, fancy=False, meta=meta)


def drop_single(axes: str, shape: Sequence[int]) -> tuple[tuple[int | slice, ...], str]:
    """Index that leaves out axes of length 1 but for y and x, and the axes that are left."""
    kept = [n > 1 or a in "yx" for a, n in zip(axes, shape, strict=True)]
    key = tuple(slice(None) if keep else 0 for keep in kept)
    return key, "".join(a for a, keep in zip(axes, kept, strict=True) if keep)


def _bounds(key: int | slice, length: int) -> tuple[range, int | slice]:
    """Split an index into the range to read and what to take of it."""
    if not isinstance(key, slice):
        position = range(length)[key]
        return range(position, position + 1), 0
    picked = range(length)[key]
    if not picked:
        return range(0), slice(None)
    low, high = min(picked[0], picked[-1]), max(picked[0], picked[-1])
    return range(low, high + 1), slice(None, None, picked.step)
