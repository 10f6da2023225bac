"""Compiled heat of objects: it enters at their middle and spreads over their own pixels only.

An object is a table of runs (z, y, first x, last x + 1), sorted by place; a plane has z of 0. Loops
over numbers in place of operations on arrays: these take numba seconds to compile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.jit import jit
from napari_ssp.flows.runs import root

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pixels along x that are worked on together; unsigned, because signed indices are checked for < 0.
_LANES = np.uint64(32)
_ONE = np.uint64(1)
#: A rough heat is that of the whole box of objects that fill this share of it, which is no larger.
_FULL, _LARGEST_BOX = 0.4, 1 << 16
_NINTH = np.float32(1 / 9)


@jit
def runs_by_object(
    ids: NDArray[np.int32], count: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """List runs (n, 4) sorted by object, and where those of each object begin (count + 1)."""
    depth, height, width = ids.shape
    first = np.zeros(count + 2, np.int64)
    for z in range(depth):
        for y in range(height):
            last = 0
            for x in range(width):
                here = ids[z, y, x]
                if here != last:
                    first[here + 1] += 1
                    last = here
    first[1] = 0  # background has no runs
    for k in range(2, count + 2):
        first[k] += first[k - 1]
    runs = np.empty((first[count + 1], 4), np.int32)
    place = first.copy()
    for z in range(depth):
        for y in range(height):
            last = 0
            for x in range(width):
                here = ids[z, y, x]
                if here == last:
                    continue
                if last > 0:
                    runs[place[last] - 1, 3] = x
                if here > 0:
                    k = place[here]
                    runs[k, 0], runs[k, 1], runs[k, 2] = z, y, x
                    place[here] += 1
                last = here
            if last > 0:
                runs[place[last] - 1, 3] = width
    return runs, first[1:]


@jit
def measure_sizes(runs: NDArray[np.int32], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Extents in z, y and x, and number of pixels, of every object: (n, 4)."""
    sizes = np.empty((len(first) - 1, 4), np.int64)
    for k in range(len(first) - 1):
        low, high = find_box(runs, first[k], first[k + 1])
        for a in range(3):
            sizes[k, a] = high[a] - low[a]
        pixels = 0
        for i in range(first[k], first[k + 1]):
            pixels += runs[i, 3] - runs[i, 2]
        sizes[k, 3] = pixels
    return sizes


@jit
def spread_heat_in_plane(
    objects: NDArray[np.int64],
    runs: NDArray[np.int32],
    first: NDArray[np.int64],
    n_steps: int,
    heat: NDArray[np.float64],
    rough: bool,
) -> None:
    """Write log(1 + T) of the heat T of the given objects into ``heat`` (1, Y, X).

    In each of ``n_steps`` the pixel nearest to the median place takes 1 and each pixel becomes the
    mean over its neighbours and itself, 9 in all. Pixels outside the object stay at 0. ``rough``
    has seven digits for small objects, in a quarter of the time.
    """
    for k in objects:
        source, mine = _reached(runs, first[k], first[k + 1], True)
        low, high = find_box(mine, 0, len(mine))
        top, left = low[1], low[2]
        if rough and _is_compact(mine, low, high):
            stride = high[2] - left + 1
            middle = np.uint64((source[1] - top + 1) * stride + source[2] - left + 1)
            share = _shares(mine, low, stride, stride * (high[1] - top + 2) + 1)
            rough_heat = _iterate_box(share, np.uint64(stride), middle, n_steps)
            for i in range(len(mine)):
                y, x = mine[i, 1], mine[i, 2]
                here = (y - top + 1) * stride + x - left + 1
                for n in range(mine[i, 3] - x):
                    heat[0, y, x + n] = math.log(1.0 + np.float64(rough_heat[here + n]))
            continue
        stride = high[2] - left + 1 + np.int64(_LANES)
        size = stride * (high[1] - top + 2) + np.int64(_LANES)
        middle = np.uint64((source[1] - top + 1) * stride + source[2] - left + 1)
        starts, inside = _chunks(mine, (np.int64(0), top - 1, left - 1), (np.int64(0), stride))
        now = _iterate_plane(starts, inside, np.uint64(stride), middle, n_steps, size)
        for i in range(len(mine)):
            y, x = mine[i, 1], mine[i, 2]
            here = (y - top + 1) * stride + x - left + 1
            for n in range(mine[i, 3] - x):
                heat[0, y, x + n] = math.log(1.0 + now[here + n])


@jit
def spread_heat_in_volume(
    objects: NDArray[np.int64],
    runs: NDArray[np.int32],
    first: NDArray[np.int64],
    n_steps: int,
    heat: NDArray[np.float64],
) -> None:
    """Write the heat T itself into ``heat`` (Z, Y, X); a voxel has 26 neighbours."""
    for k in objects:
        source, mine = _reached(runs, first[k], first[k + 1], False)
        low, high = find_box(mine, 0, len(mine))
        y = high[2] - low[2] + 1 + np.int64(_LANES)
        z = y * (high[1] - low[1] + 2)
        size = z * (high[0] - low[0] + 2) + np.int64(_LANES)
        corner = (low[0] - 1, low[1] - 1, low[2] - 1)
        middle = (source[0] - corner[0]) * z + (source[1] - corner[1]) * y + source[2] - corner[2]
        starts, inside = _chunks(mine, corner, (z, y))
        strides = (np.uint64(y), np.uint64(z))
        now = _iterate_volume(starts, inside, strides, np.uint64(middle), n_steps, size)
        for i in range(len(mine)):
            row, x = mine[i, 0] - corner[0], mine[i, 2]
            here = row * z + (mine[i, 1] - corner[1]) * y + x - corner[2]
            for n in range(mine[i, 3] - x):
                heat[mine[i, 0], mine[i, 1], x + n] = now[here + n]


@jit
def _is_compact(runs: NDArray[np.int32], low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
    """Whether an object of a plane is small and fills enough of its box."""
    pixels = 0
    for i in range(len(runs)):
        pixels += runs[i, 3] - runs[i, 2]
    box = (high[1] - low[1]) * (high[2] - low[2])
    return bool(box <= _LARGEST_BOX and pixels >= _FULL * box)


@jit
def _shares(
    runs: NDArray[np.int32], low: NDArray[np.int64], width: int, size: int
) -> NDArray[np.float32]:
    """One ninth at the object's pixels of its box, 0 elsewhere and around it."""
    share = np.zeros(size, np.float32)
    for i in range(len(runs)):
        row = (runs[i, 1] - low[1] + 1) * width - low[2] + 1
        for x in range(runs[i, 2], runs[i, 3]):
            share[row + x] = _NINTH
    return share


@jit
def _iterate_box(
    share: NDArray[np.float32], y: np.uint64, middle: np.uint64, n_steps: int
) -> NDArray[np.float32]:
    """Spread heat over a box; three pixels of a row share the sums of their columns."""
    size = len(share)
    now, then = np.zeros(size, np.float32), np.zeros(size, np.float32)
    column = np.zeros(size, np.float32)
    for _ in range(n_steps):
        now[middle] += np.float32(1)
        # Both sums begin with the two sides, or a symmetric object would have a slanted middle.
        for i in range(y, np.uint64(len(share)) - y):
            k = np.uint64(i)
            column[k] = now[k - y] + now[k + y] + now[k]
        for i in range(y, np.uint64(len(share)) - y):
            k = np.uint64(i)
            then[k] = (column[k - _ONE] + column[k + _ONE] + column[k]) * share[k]
        now, then = then, now
    return now


@jit
def find_box(
    runs: NDArray[np.int32], begin: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest z, y, x of the runs of an object, and highest plus one."""
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for a in range(3):
        low[a], high[a] = runs[begin, a], 0
    high[0] = runs[end - 1, 0] + 1
    for i in range(begin, end):
        low[1] = min(low[1], runs[i, 1])
        low[2] = min(low[2], runs[i, 2])
        high[1] = max(high[1], runs[i, 1] + 1)
        high[2] = max(high[2], runs[i, 3])
    return low, high


@jit
def _iterate_plane(
    starts: NDArray[np.uint64],
    inside: NDArray[np.float64],
    stride: np.uint64,
    middle: np.uint64,
    n_steps: int,
    size: int,
) -> NDArray[np.float64]:
    now = np.zeros(size)
    then = np.zeros(size)
    for _ in range(n_steps):
        now[middle] += 1.0
        w = np.uint64(0)
        for start in starts:
            for i in range(_LANES):
                k = start + np.uint64(i)
                # The reference's order and division, so that even rounding agrees.
                total = now[k] + now[k - stride] + now[k + stride] + now[k - _ONE]
                total = total + now[k + _ONE] + now[k - stride - _ONE] + now[k - stride + _ONE]
                total = total + now[k + stride - _ONE] + now[k + stride + _ONE]
                then[k] = total / 9.0 * inside[w + np.uint64(i)]
            w += _LANES
        now, then = then, now
    return now


@jit
def _iterate_volume(
    starts: NDArray[np.uint64],
    inside: NDArray[np.float64],
    strides: tuple[np.uint64, np.uint64],
    middle: np.uint64,
    n_steps: int,
    size: int,
) -> NDArray[np.float64]:
    now = np.zeros(size)
    then = np.zeros(size)
    y, z = strides
    for _ in range(n_steps):
        now[middle] += 1.0
        w = np.uint64(0)
        for start in starts:
            for i in range(_LANES):
                k = start + np.uint64(i)
                a = now[k - _ONE] + now[k] + now[k + _ONE]
                a += now[k - y - _ONE] + now[k - y] + now[k - y + _ONE]
                a += now[k + y - _ONE] + now[k + y] + now[k + y + _ONE]
                j = k - z
                a += now[j - _ONE] + now[j] + now[j + _ONE]
                a += now[j - y - _ONE] + now[j - y] + now[j - y + _ONE]
                a += now[j + y - _ONE] + now[j + y] + now[j + y + _ONE]
                j = k + z
                a += now[j - _ONE] + now[j] + now[j + _ONE]
                a += now[j - y - _ONE] + now[j - y] + now[j - y + _ONE]
                a += now[j + y - _ONE] + now[j + y] + now[j + y + _ONE]
                then[k] = a / 27.0 * inside[w + np.uint64(i)]
            w += _LANES
        now, then = then, now
    return now


@jit
def _chunks(
    runs: NDArray[np.int32], corner: tuple[Any, Any, Any], strides: tuple[Any, Any]
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Cover the runs with stretches of equal length; say which of their pixels are inside.

    ``corner`` is the place (z, y, x) of number 0, ``strides`` are the steps along z and y.
    """
    lanes = np.int64(_LANES)
    most = 0
    for i in range(len(runs)):
        most += (runs[i, 3] - runs[i, 2]) // lanes + 1
    starts = np.empty(most, np.uint64)
    inside = np.zeros(most * lanes, np.float64)
    n = -1
    end = np.int64(0)
    for i in range(len(runs)):
        row = (runs[i, 0] - corner[0]) * strides[0] + (runs[i, 1] - corner[1]) * strides[1]
        for place in range(row + runs[i, 2] - corner[2], row + runs[i, 3] - corner[2]):
            if place >= end:
                n += 1
                starts[n] = place
                end = place + lanes
            inside[n * lanes + place - (end - lanes)] = 1.0
    return starts[: n + 1], inside


@jit
def _reached(
    runs: NDArray[np.int32], begin: int, end: int, plane: bool
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Middle of an object, and its runs that heat from there can reach."""
    source = _middle(runs, begin, end)
    parent = _connected(runs, begin, end, plane)
    home = 0
    for i in range(len(parent)):
        k = begin + i
        if runs[k, 0] == source[0] and runs[k, 1] == source[1]:
            if runs[k, 2] <= source[2] < runs[k, 3]:
                home = root(parent, i)
    mine = np.empty((len(parent), 4), np.int32)
    n = 0
    for i in range(len(parent)):
        if root(parent, i) == home:
            for a in range(4):
                mine[n, a] = runs[begin + i, a]
            n += 1
    return source, mine[:n]


@jit
def _middle(runs: NDArray[np.int32], begin: int, end: int) -> NDArray[np.int64]:
    """Pixel (z, y, x) nearest to the median place, the first in order where several are."""
    low, high = find_box(runs, begin, end)
    doubled = np.empty(3, np.int64)
    for a in range(3):
        along = np.zeros(high[a] - low[a] + 1, np.int64)
        for i in range(begin, end):
            if a < 2:
                along[runs[i, a] - low[a]] += runs[i, 3] - runs[i, 2]
            else:
                along[runs[i, 2] - low[2]] += 1
                along[runs[i, 3] - low[2]] -= 1
        if a == 2:
            for k in range(1, len(along)):
                along[k] += along[k - 1]
        doubled[a] = _doubled_median(along) + 2 * low[a]
    best = np.zeros(3, np.int64)
    nearest = np.int64(-1)
    for i in range(begin, end):
        z, y = np.int64(runs[i, 0]), np.int64(runs[i, 1])
        x = min(max(doubled[2] // 2, np.int64(runs[i, 2])), np.int64(runs[i, 3]) - 1)
        dz, dy, dx = 2 * z - doubled[0], 2 * y - doubled[1], 2 * x - doubled[2]
        distance = dz * dz + dy * dy + dx * dx
        if nearest < 0 or distance < nearest:
            best[0], best[1], best[2] = z, y, x
            nearest = distance
    return best


@jit
def _doubled_median(along: NDArray[np.int64]) -> int:
    """Twice the median of values 0, 1, ... that occur ``along`` times each."""
    count = np.int64(0)
    for k in range(len(along)):
        count += along[k]
    total = 0
    k = 0
    seen = along[0]
    for half in range(2):
        wanted = (count - 1 + half) // 2
        while seen <= wanted:
            k += 1
            seen += along[k]
        total += k
    return total


@jit
def _connected(runs: NDArray[np.int32], begin: int, end: int, plane: bool) -> NDArray[np.int64]:
    """Join runs that touch, corners included: a parent of each, for `root`."""
    parent = np.arange(end - begin)
    for direction in range(1 if plane else 4):
        dz = 0 if direction == 0 else 1
        dy = 1 if direction == 0 else direction - 2
        j = begin
        for i in range(begin, end):
            z, y = runs[i, 0] + dz, runs[i, 1] + dy
            low, high = runs[i, 2] - 1, runs[i, 3] + 1
            while j < end and _before(runs, j, z, y, low):
                j += 1
            k = j
            while k < end and runs[k, 0] == z and runs[k, 1] == y and runs[k, 2] < high:
                a, b = root(parent, i - begin), root(parent, k - begin)
                parent[max(a, b)] = min(a, b)
                k += 1
    return parent


@jit
def _before(runs: NDArray[np.int32], k: int, z: int, y: int, x: int) -> bool:
    """Whether a run ends before the place (z, y, x)."""
    if runs[k, 0] != z:
        return bool(runs[k, 0] < z)
    return bool(runs[k, 1] < y if runs[k, 1] != y else runs[k, 3] <= x)
