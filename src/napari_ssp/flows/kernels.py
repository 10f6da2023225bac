"""Compiled inner loops of diffusion and tracking; they release the GIL and allocate per object."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., object])


def _compiled(function: Function) -> Function:
    return cast("Function", numba.njit(cache=True, nogil=True, fastmath={"contract"})(function))


@_compiled
def diffuse(
    labels: NDArray[np.int32],
    boxes: NDArray[np.int64],
    sources: NDArray[np.int64],
    n_steps: int,
    heat: NDArray[np.float64],
) -> None:
    """Fill ``heat`` (labels' shape plus a border of 1) with log(1 + T) inside the given objects.

    ``boxes`` holds (id, y0, y1, x0, x1) and ``sources`` (y, x) for every object.
    """
    for k in range(boxes.shape[0]):
        identity, y0, y1, x0, x1 = boxes[k]
        height = y1 - y0
        width = x1 - x0
        inside = np.zeros((height, width))
        for y in range(height):
            for x in range(width):
                if labels[y0 + y, x0 + x] == identity:
                    inside[y, x] = 1.0
        now = np.zeros((height + 2, width + 2))
        then = np.zeros((height + 2, width + 2))
        source_y = sources[k, 0] - y0 + 1
        source_x = sources[k, 1] - x0 + 1
        for _ in range(n_steps):
            now[source_y, source_x] += 1.0
            for y in range(1, height + 1):
                for x in range(1, width + 1):
                    # The reference's order of summation, so that even rounding agrees.
                    total = now[y, x] + now[y - 1, x] + now[y + 1, x] + now[y, x - 1]
                    total = total + now[y, x + 1] + now[y - 1, x - 1] + now[y - 1, x + 1]
                    total = total + now[y + 1, x - 1] + now[y + 1, x + 1]
                    then[y, x] = total / 9.0 * inside[y - 1, x - 1]
            now, then = then, now
        for y in range(height):
            for x in range(width):
                if inside[y, x] > 0.0:
                    heat[y0 + y + 1, x0 + x + 1] = math.log(1.0 + now[y + 1, x + 1])


@_compiled
def follow(
    flows: NDArray[np.float32],
    starts: NDArray[np.int64],
    n_steps: int,
    ends: NDArray[np.int64],
) -> None:
    """Move every start pixel along ``flows`` (2, Y, X) and write the pixels where they end.

    Positions are sampled half a pixel off, as by the reference: its grid is normalised with aligned
    corners and read without.
    """
    height, width = flows.shape[1], flows.shape[2]
    stretch_y = np.float32(height / max(height - 1, 1))
    stretch_x = np.float32(width / max(width - 1, 1))
    half = np.float32(0.5)
    last_y = np.float32(height - 1)
    last_x = np.float32(width - 1)
    for k in range(starts.shape[0]):
        y = np.float32(starts[k, 0])
        x = np.float32(starts[k, 1])
        for _ in range(n_steps):
            v = y * stretch_y - half
            u = x * stretch_x - half
            iv = math.floor(v)
            iu = math.floor(u)
            fv = np.float32(v - iv)
            fu = np.float32(u - iu)
            dy = np.float32(0.0)
            dx = np.float32(0.0)
            for a in range(2):
                row = int(iv) + a
                if row < 0 or row >= height:
                    continue
                weight_y = fv if a == 1 else np.float32(1.0) - fv
                for b in range(2):
                    column = int(iu) + b
                    if column < 0 or column >= width:
                        continue
                    weight = weight_y * (fu if b == 1 else np.float32(1.0) - fu)
                    dy += weight * flows[0, row, column]
                    dx += weight * flows[1, row, column]
            new_y = min(max(y + dy, np.float32(0.0)), last_y)
            new_x = min(max(x + dx, np.float32(0.0)), last_x)
            if new_y == y and new_x == x:
                break
            y = new_y
            x = new_x
        ends[k, 0] = int(y)
        ends[k, 1] = int(x)
