"""Small objects and small holes, in masks and in labels; planes (Y, X) and volumes (Z, Y, X)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.numbering import pixel_counts, renumber
from napari_ssp.flows.runs import fill_holes, find_connected_runs, flip_small

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tidy_mask(
    mask: NDArray[np.bool_], min_size: int, hole_size: int | None = None
) -> NDArray[np.bool_]:
    """Fill holes of fewer than ``hole_size`` pixels, then remove objects below ``min_size``.

    Pixels touch over faces. Without a hole size, holes have the limit of the objects.
    """
    tidy = np.array(mask, order="C")
    if tidy.size:
        rows = _rows(tidy)
        flip_small(rows, mask.shape[-2], False, min_size if hole_size is None else hole_size)
        flip_small(rows, mask.shape[-2], True, min_size)
    return tidy


def fill_small_holes(labels: NDArray[np.int32], hole_size: int) -> NDArray[np.int32]:
    """Fill holes of fewer than ``hole_size`` pixels that a single object surrounds."""
    filled = np.array(labels, order="C")
    if filled.size:
        runs, sizes = find_connected_runs(_rows(filled > 0), labels.shape[-2])
        volume = filled.reshape(-1, *labels.shape[-2:])
        fill_holes(volume, runs, sizes, hole_size)
    return filled


def remove_small_labels(labels: NDArray[np.int32], min_size: int) -> NDArray[np.uint32]:
    """Drop objects of fewer than ``min_size`` pixels and renumber the others to 1..n."""
    small = pixel_counts(labels, int(labels.max(initial=0))) < max(min_size, 1)
    return without(labels, small).view(np.uint32)


def without(labels: NDArray[np.int32], bad: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Drop objects; the others keep their order and are numbered without gaps."""
    keep = ~bad
    keep[0] = False
    return renumber(labels, np.where(keep, np.cumsum(keep), 0).astype(np.int32))


def _rows(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(-1, array.shape[-1])
