"""Connected parts of masks, through runs of equal pixels along x; planes and volumes alike.

A run is a row of the table (start, stop, part): flat pixel numbers, and the connected part that it
belongs to. Pixels touch over faces: 4 neighbours in a plane, 6 in a volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.flows.jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@jit
def find_connected_runs(
    mask: NDArray[np.bool_], rows_per_plane: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split ``mask`` (rows, X) into runs of both values.

    Returns the runs, int64 (n, 3), and the number of pixels of each connected part.
    """
    rows, width = mask.shape
    first = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        found = 1
        for x in range(1, width):
            found += mask[r, x] != mask[r, x - 1]
        first[r + 1] = first[r] + found
    runs = np.empty((first[rows], 3), np.int64)
    for r in range(rows):
        k = first[r]
        runs[k, 0] = r * width
        for x in range(1, width):
            if mask[r, x] != mask[r, x - 1]:
                runs[k, 1] = r * width + x
                k += 1
                runs[k, 0] = r * width + x
        runs[k, 1] = (r + 1) * width
    parent = np.arange(len(runs))
    flat = mask.reshape(-1)
    for r in range(rows):
        if r % rows_per_plane:
            _join(runs, flat, parent, first, r, r - 1)
        if r >= rows_per_plane:
            _join(runs, flat, parent, first, r, r - rows_per_plane)
    parts = 0
    for k in range(len(parent)):
        if parent[k] == k:
            runs[k, 2] = parts
            parts += 1
        else:  # roots come first: a parent's number is never larger
            runs[k, 2] = runs[root(parent, k), 2]
    sizes = np.zeros(parts, np.int64)
    for k in range(len(runs)):
        sizes[runs[k, 2]] += runs[k, 1] - runs[k, 0]
    return runs, sizes


@jit
def flip_small(mask: NDArray[np.bool_], rows_per_plane: int, value: bool, below: int) -> None:
    """Turn over connected parts of ``value`` with fewer than ``below`` pixels, in place."""
    runs, sizes = find_connected_runs(mask, rows_per_plane)
    flat = mask.reshape(-1)
    for k in range(len(runs)):
        if sizes[runs[k, 2]] < below and flat[runs[k, 0]] == value:
            flat[runs[k, 0] : runs[k, 1]] = not value


@jit
def fill_holes(
    labels: NDArray[np.int32], runs: NDArray[np.int64], sizes: NDArray[np.int64], below: int
) -> None:
    """Fill holes of fewer than ``below`` pixels that a single object surrounds, in place.

    ``labels`` is (Z, Y, X), with Z of 1 for a plane, and the runs are those of ``labels > 0``.
    """
    depth, height, width = labels.shape
    flat = labels.reshape(-1)
    owner = np.zeros(len(sizes), np.int32)  # 0: not met yet, -1: several objects or the border
    for k in range(len(runs)):
        start, stop, part = runs[k]
        if flat[start] != 0 or sizes[part] >= below:
            continue
        row = start // width
        y, z = row % height, row // height
        if start % width == 0 or stop % width == 0:
            owner[part] = -1
        else:
            owner[part] = _agreed(owner[part], flat[start - 1])
            owner[part] = _agreed(owner[part], flat[stop])
        owner[part] = _beside(
            flat, start, stop, stride=width, place=y, length=height, owner=owner[part]
        )
        if depth > 1:
            owner[part] = _beside(
                flat, start, stop, stride=width * height, place=z, length=depth, owner=owner[part]
            )
    for k in range(len(runs)):
        start, stop, part = runs[k]
        if owner[part] > 0 and flat[start] == 0:
            flat[start:stop] = owner[part]


@jit
def _beside(
    flat: NDArray[np.int32],
    start: int,
    stop: int,
    stride: int,
    place: int,
    length: int,
    owner: int,
) -> int:
    """Owner of a hole after a look at the run's neighbours at ``place`` - 1 and + 1."""
    if place == 0 or place == length - 1:
        return -1
    for k in range(start, stop):
        owner = _agreed(owner, flat[k - stride])
        owner = _agreed(owner, flat[k + stride])
    return owner


@jit
def _agreed(owner: int, neighbour: int) -> int:
    if neighbour == 0 or neighbour == owner:
        return owner
    return neighbour if owner == 0 else -1


@jit
def _join(
    runs: NDArray[np.int64],
    flat: NDArray[np.bool_],
    parent: NDArray[np.int64],
    first: NDArray[np.int64],
    row: int,
    other: int,
) -> None:
    """Join the runs of two neighbouring rows that have the same value and overlap."""
    shift = runs[first[row], 0] - runs[first[other], 0]
    j = first[other]
    for k in range(first[row], first[row + 1]):
        start, stop = runs[k, 0] - shift, runs[k, 1] - shift
        while runs[j, 1] <= start:
            j += 1
        i = j
        while i < first[other + 1] and runs[i, 0] < stop:
            if flat[runs[i, 0]] == flat[runs[k, 0]]:
                a, b = root(parent, i), root(parent, k)
                parent[max(a, b)] = min(a, b)
            i += 1


@jit
def root(parent: NDArray[np.int64], k: int) -> int:
    """Find the first member of the set that ``k`` belongs to."""
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k
