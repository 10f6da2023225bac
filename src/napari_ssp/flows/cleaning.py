"""Small objects and small holes, in masks and in labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tidy_mask(mask: NDArray[np.bool_], min_size: int) -> NDArray[np.bool_]:
    """Fill holes, then remove objects, that have fewer than ``min_size`` pixels (4-connected)."""
    filled = ~_without_small(~mask, min_size)
    return _without_small(filled, min_size)


def fill_small_holes(labels: NDArray[np.int32], min_size: int) -> NDArray[np.int32]:
    """Fill holes of fewer than ``min_size`` pixels that a single object surrounds."""
    holes, count = ndimage.label(labels == 0)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    small = sizes < min_size
    small[0] = False
    if not small.any():
        return labels
    where = small[holes]
    highest = ndimage.grey_dilation(labels, footprint=_CROSS)
    lowest = -ndimage.grey_dilation(
        -np.where(labels == 0, np.iinfo(np.int32).max, labels), footprint=_CROSS
    )
    index = np.arange(count + 1)
    high = ndimage.maximum(np.where(where, highest, 0), holes, index)
    low = ndimage.minimum(np.where(where, lowest, np.iinfo(np.int32).max), holes, index)
    owner = np.where(small & (high == low) & ~_touches_border(holes, count), high, 0)
    result: NDArray[np.int32] = np.where(where, owner[holes], labels).astype(np.int32)
    return result


def remove_small_labels(labels: NDArray[np.int32], min_size: int) -> NDArray[np.uint32]:
    """Drop objects of fewer than ``min_size`` pixels and renumber the others to 1..n."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(min_size, 1)
    keep[0] = False
    new = np.zeros(len(sizes), np.uint32)
    new[keep] = np.arange(1, int(keep.sum()) + 1)
    return new[labels]


_CROSS = ndimage.generate_binary_structure(2, 1)


def _without_small(mask: NDArray[np.bool_], min_size: int) -> NDArray[np.bool_]:
    parts, _ = ndimage.label(mask)
    large = np.bincount(parts.ravel()) >= min_size
    large[0] = False
    result: NDArray[np.bool_] = large[parts]
    return result


def _touches_border(parts: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    touches = np.zeros(count + 1, bool)
    for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        touches[edge] = True
    return touches
