"""Compiled heat of objects: it enters at their middle and spreads over their own pixels only.

An object is a table of runs (z, y, first x, last x + 1), sorted by place; a plane has z of 0.
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
        mine = runs[first[k] : first[k + 1]]
        low, high = find_box(mine)
        pixels = 0
        for run in mine:
            pixels += run[3] - run[2]
        sizes[k, :3] = high - low
        sizes[k, 3] = pixels
    return sizes


@jit
def spread_heat(
    objects: NDArray[np.int64],
    runs: NDArray[np.int32],
    first: NDArray[np.int64],
    n_steps: int,
    heat: NDArray[np.float64],
    rough: bool = False,
) -> None:
    """Write the heat T of the given objects into ``heat`` (Z, Y, X) after ``n_steps``.

    In every step the pixel nearest to the median place takes 1 and each pixel becomes the mean over
    its neighbours and itself: 9 in a plane, 27 in a volume. Pixels outside the object stay at 0.
    A plane keeps log(1 + T), a volume T. ``rough`` has seven digits for small objects of a plane,
    in a quarter of the time.
    """
    plane = heat.shape[0] == 1
    for k in objects:
        mine = runs[first[k] : first[k + 1]]
        source = _middle(mine)
        # Heat cannot leave the part that is connected to the source: the rest is left out.
        mine = mine[_connected(mine, source, plane)]
        low, high = find_box(mine)
        low[0] += plane  # a plane has no pixels before and after
        if plane and rough and _is_compact(mine, low, high):
            width = high[2] - low[2] + 1
            strides = np.array((0, width, 1))
            middle = np.uint64(((source - low + 1) * strides).sum())
            share = _shares(mine, low, width, width * (high[1] - low[1] + 2) + 1)
            _write(_iterate_box(share, np.uint64(width), middle, n_steps), mine, low, strides, heat)
            continue
        stride_y = high[2] - low[2] + 1 + np.int64(_LANES)
        stride_z = stride_y * (high[1] - low[1] + 2)
        size = stride_z * (high[0] - low[0] + 2) + np.int64(_LANES)
        strides = np.array((stride_z, stride_y, 1))
        middle = np.uint64(((source - low + 1) * strides).sum())
        starts, inside = _chunks(mine, low, strides)
        if plane:
            now = _iterate_plane(starts, inside, np.uint64(stride_y), middle, n_steps, size)
        else:
            across = (np.uint64(stride_y), np.uint64(stride_z))
            now = _iterate_volume(starts, inside, across, middle, n_steps, size)
        _write(now, mine, low, strides, heat)


@jit
def _write(
    now: NDArray[Any],
    runs: NDArray[np.int32],
    low: NDArray[np.int64],
    strides: NDArray[np.int64],
    heat: NDArray[np.float64],
) -> None:
    """Bring the heat of an object's box into the image."""
    for z, y, x, stop in runs:
        here = (z - low[0] + 1) * strides[0] + (y - low[1] + 1) * strides[1] + x - low[2] + 1
        for n in range(stop - x):
            value = float(now[here + n])
            heat[z, y, x + n] = math.log(1.0 + value) if heat.shape[0] == 1 else value


@jit
def _is_compact(runs: NDArray[np.int32], low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
    """Whether an object of a plane is small and fills enough of its box."""
    pixels = 0
    for run in runs:
        pixels += run[3] - run[2]
    box = (high[1] - low[1]) * (high[2] - low[2])
    return bool(box <= _LARGEST_BOX and pixels >= _FULL * box)


@jit
def _shares(
    runs: NDArray[np.int32], low: NDArray[np.int64], width: int, size: int
) -> NDArray[np.float32]:
    """One ninth at the object's pixels of its box, 0 elsewhere and around it."""
    share = np.zeros(size, np.float32)
    for _, y, x0, x1 in runs:
        row = (y - low[1] + 1) * width - low[2] + 1
        share[row + x0 : row + x1] = _NINTH
    return share


@jit
def _iterate_box(
    share: NDArray[np.float32], y: np.uint64, middle: np.uint64, n_steps: int
) -> NDArray[np.float32]:
    """Spread heat over a box; three pixels of a row share the sums of their columns."""
    now, then, column = np.zeros_like(share), np.zeros_like(share), np.zeros_like(share)
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
def find_box(runs: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest z, y, x of an object, and highest plus one."""
    low = np.array((runs[0, 0], runs[0, 1], runs[0, 2]), np.int64)
    high = np.array((runs[-1, 0] + 1, 0, 0), np.int64)
    for run in runs:
        low[1] = min(low[1], run[1])
        low[2] = min(low[2], run[2])
        high[1] = max(high[1], run[1] + 1)
        high[2] = max(high[2], run[3])
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
    runs: NDArray[np.int32], low: NDArray[np.int64], strides: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Cover the runs with stretches of equal length; say which of their pixels are inside."""
    lanes = np.int64(_LANES)
    most = 0
    for run in runs:
        most += (run[3] - run[2]) // lanes + 1
    starts = np.empty(most, np.uint64)
    inside = np.zeros(most * lanes)
    n = -1
    end = np.int64(0)
    for z, y, x0, x1 in runs:
        row = (z - low[0] + 1) * strides[0] + (y - low[1] + 1) * strides[1] - low[2] + 1
        for place in range(row + x0, row + x1):
            if place >= end:
                n += 1
                starts[n] = place
                end = place + lanes
            inside[n * lanes + place - (end - lanes)] = 1.0
    return starts[: n + 1], inside


@jit
def _middle(runs: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pixel (z, y, x) nearest to the median place, the first in order where several are."""
    low, high = find_box(runs)
    doubled = np.empty(3, np.int64)
    for a in range(3):
        along = np.zeros(high[a] - low[a] + 1, np.int64)
        for run in runs:
            if a < 2:
                along[run[a] - low[a]] += run[3] - run[2]
            else:
                along[run[2] - low[2]] += 1
                along[run[3] - low[2]] -= 1
        if a == 2:
            along = np.cumsum(along)
        doubled[a] = _doubled_median(along) + 2 * low[a]
    best = np.zeros(3, np.int64)
    nearest = np.int64(-1)
    for z, y, x0, x1 in runs:
        x = min(max(doubled[2] // 2, x0), x1 - 1)
        distance = (2 * z - doubled[0]) ** 2 + (2 * y - doubled[1]) ** 2 + (2 * x - doubled[2]) ** 2
        if nearest < 0 or distance < nearest:
            best[0], best[1], best[2] = z, y, x
            nearest = distance
    return best


@jit
def _doubled_median(along: NDArray[np.int64]) -> int:
    """Twice the median of values 0, 1, ... that occur ``along`` times each."""
    count = along.sum()
    total = 0
    for wanted in ((count - 1) // 2, count // 2):
        k = 0
        seen = along[0]
        while seen <= wanted:
            k += 1
            seen += along[k]
        total += k
    return total


@jit
def _connected(
    runs: NDArray[np.int32], source: NDArray[np.int64], plane: bool
) -> NDArray[np.bool_]:
    """Which runs touch the source through others; corners count."""
    parent = np.arange(len(runs))
    for dz, dy in ((0, 1), (1, -1), (1, 0), (1, 1)):
        if dz and plane:
            continue
        j = 0
        for i in range(len(runs)):
            z, y, low, high = runs[i, 0] + dz, runs[i, 1] + dy, runs[i, 2] - 1, runs[i, 3] + 1
            while j < len(runs) and _before(
                (runs[j, 0], runs[j, 1], runs[j, 2], runs[j, 3]), z, y, low
            ):
                j += 1
            k = j
            while k < len(runs) and runs[k, 0] == z and runs[k, 1] == y and runs[k, 2] < high:
                a, b = root(parent, i), root(parent, k)
                parent[max(a, b)] = min(a, b)
                k += 1
    home = 0
    for i in range(len(runs)):
        z, y, x0, x1 = runs[i]
        if z == source[0] and y == source[1] and x0 <= source[2] < x1:
            home = root(parent, i)
    return np.array([root(parent, i) == home for i in range(len(runs))])


@jit
def _before(run: tuple[int, int, int, int], z: int, y: int, x: int) -> bool:
    """Whether a run ends before the place (z, y, x)."""
    if run[0] != z:
        return run[0] < z
    return run[1] < y if run[1] != y else run[3] <= x
