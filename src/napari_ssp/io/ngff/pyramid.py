"""The smaller levels of an image: shapes, and how a slab becomes the next smaller one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Planes are halved along y and x until no side is longer than this.
LARGEST_SIDE = 1024


def level_sides(height: int, width: int) -> list[tuple[int, int]]:
    """Give height and width of each level, the full one first."""
    sides = [(height, width)]
    while max(sides[-1]) > LARGEST_SIDE:
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    return sides


def halve(slab: npt.NDArray[Any], nearest: bool) -> npt.NDArray[Any]:
    """Make the next smaller level.

    Parameters
    ----------
    slab : numpy.ndarray
        (..., Y, X).
    nearest : bool
        Take every second pixel, as labels need it, instead of means of 2 × 2.

    Returns
    -------
    numpy.ndarray
        (..., ceil(Y / 2), ceil(X / 2)) in the same dtype; an odd last row or column is repeated
        for its mean.
    """
    if nearest or slab.dtype.kind == "b":
        return slab[..., ::2, ::2]
    wide = np.float64 if slab.dtype.itemsize > 2 else np.float32
    odd = [(0, 0)] * (slab.ndim - 2) + [(0, n % 2) for n in slab.shape[-2:]]
    even = np.pad(slab, odd, mode="edge") if any(pad for _, pad in odd) else slab
    # A float image may hold NaN and infinity, whose sums are no mistake.
    with np.errstate(invalid="ignore", over="ignore"):
        total = sum(even[..., y::2, x::2].astype(wide) for y in (0, 1) for x in (0, 1))
        mean = np.asarray(total) / 4
    return (np.rint(mean) if slab.dtype.kind in "iu" else mean).astype(slab.dtype)


def chunk_shape(axes: str, sizes: Mapping[str, int], itemsize: int) -> tuple[int, ...]:
    """Choose chunks of one time point and one channel, at most 512 × 512, and about 1 MiB.

    Parameters
    ----------
    axes : str
        One letter of "tczyx" per axis.
    sizes : mapping
        Length of each axis by its letter.
    itemsize : int
        Bytes per pixel.

    Returns
    -------
    tuple of int
        One length per axis.
    """
    height, width = min(sizes["y"], 512), min(sizes["x"], 512)
    depth = max(1, min(sizes.get("z", 1), 2**20 // (height * width * itemsize)))
    lengths = {"z": depth, "y": height, "x": width}
    return tuple(lengths.get(a, 1) for a in axes)
