"""Compiled grouping: pixels whose ways end at the same place are one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: An end point with more pixels than this can seed an object; around it, more than the second grow.
SEED_COUNT, GROW_COUNT = 10, 2
#: Growth around a seed, in pixels to each side.
REACH = 5


def group(starts: NDArray[Any], ends: NDArray[Any], labels: NDArray[np.int32]) -> int:
    """Write objects 1..n into ``labels`` (Z, Y, X) at the starts; return n.

    Seeds are the crowded end points that are largest in 5 pixels; an object is what a seed reaches
    over crowded pixels. The most crowded seed wins where two meet.
    """
    crowd = np.zeros(labels.shape, np.int32)
    _count(ends, starts, crowd)
    seeds, counts = _seeds(crowd)
    painted = np.zeros(labels.shape, np.int32)
    _paint(crowd, seeds[np.argsort(counts, kind="stable")], painted)
    _assign(starts, ends, painted, labels)
    return len(seeds)


@jit
def _count(ends: NDArray[np.int32], starts: NDArray[np.int32], crowd: NDArray[np.int32]) -> None:
    flat = crowd.reshape(-1)
    for start in starts:
        flat[ends[start]] += 1


@jit
def _assign(
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    painted: NDArray[np.int32],
    labels: NDArray[np.int32],
) -> None:
    owners, out = painted.reshape(-1), labels.reshape(-1)
    for start in starts:
        out[start] = owners[ends[start]]


@jit
def _paint(crowd: NDArray[np.int32], seeds: NDArray[np.int64], painted: NDArray[np.int32]) -> None:
    for k in range(len(seeds)):
        _grow(crowd, seeds[k], k + 1, painted)


@jit
def _seeds(crowd: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Flat places of the seeds, and their crowds."""
    _, height, width = crowd.shape
    flat = crowd.reshape(-1)
    many = 0
    for k in range(len(flat)):
        many += flat[k] > SEED_COUNT
    seeds = np.empty(many, np.int64)
    counts = np.empty(many, np.int32)
    n = 0
    for k in range(len(flat)):
        if flat[k] > SEED_COUNT:
            row = k // width
            if _largest(crowd, row // height, row % height, k % width):
                seeds[n] = k
                counts[n] = flat[k]
                n += 1
    return seeds[:n], counts[:n]


@jit
def _largest(crowd: NDArray[np.int32], z: int, y: int, x: int) -> bool:
    depth, height, width = crowd.shape
    own = crowd[z, y, x]
    for c in range(max(z - 2, 0), min(z + 3, depth)):
        for i in range(max(y - 2, 0), min(y + 3, height)):
            for j in range(max(x - 2, 0), min(x + 3, width)):
                if crowd[c, i, j] > own:
                    return False
    return True


@jit
def _grow(crowd: NDArray[np.int32], seed: int, identity: int, painted: NDArray[np.int32]) -> None:
    """Paint what the seed reaches in ``REACH`` steps, corners included."""
    depth, height, width = crowd.shape
    size = 2 * REACH + 1
    known = np.zeros((size, size, size), np.bool_)
    todo = np.empty((size**3, 3), np.int64)
    row = seed // width
    todo[0, 0], todo[0, 1], todo[0, 2] = row // height, row % height, seed % width
    sz, sy, sx = todo[0, 0] - REACH, todo[0, 1] - REACH, todo[0, 2] - REACH
    known[REACH, REACH, REACH] = True
    painted[todo[0, 0], todo[0, 1], todo[0, 2]] = identity
    begin, end = 0, 1
    for _ in range(REACH):
        stop = end
        for k in range(begin, stop):
            z, y, x = todo[k]
            for c in range(max(z - 1, 0), min(z + 2, depth)):
                for i in range(max(y - 1, 0), min(y + 2, height)):
                    for j in range(max(x - 1, 0), min(x + 2, width)):
                        if crowd[c, i, j] > GROW_COUNT and not known[c - sz, i - sy, j - sx]:
                            known[c - sz, i - sy, j - sx] = True
                            painted[c, i, j] = identity
                            todo[end, 0], todo[end, 1], todo[end, 2] = c, i, j
                            end += 1
        begin = stop
