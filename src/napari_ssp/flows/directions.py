"""Compiled gradients of heat, as unit vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_ssp.flows.jit import jit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@jit
def directions_in_plane(
    heat: NDArray[np.float64],
    ids: NDArray[np.int32],
    rows: NDArray[np.int64],
    flow: NDArray[np.float32],
) -> None:
    """Write the unit gradient; a touching neighbour's heat takes part, as in the reference.

    ``heat`` and ``ids`` are (1, Y, X), ``flow`` (2, 1, Y, X); only the given rows are written.
    """
    _, height, width = heat.shape
    for y in rows:
        for x in range(width):
            if ids[0, y, x] == 0:
                flow[0, 0, y, x] = 0.0
                flow[1, 0, y, x] = 0.0
                continue
            dy = heat[0, y + 1, x] if y + 1 < height else 0.0
            dy -= heat[0, y - 1, x] if y > 0 else 0.0
            dx = heat[0, y, x + 1] if x + 1 < width else 0.0
            dx -= heat[0, y, x - 1] if x > 0 else 0.0
            length = math.sqrt(dy * dy + dx * dx) + 1e-20
            flow[0, 0, y, x] = dy / length
            flow[1, 0, y, x] = dx / length


@jit
def directions_in_volume(
    heat: NDArray[np.float64],
    ids: NDArray[np.int32],
    rows: NDArray[np.int64],
    flow: NDArray[np.float32],
) -> None:
    """Write the unit gradient by each object's own pixels; ``rows`` counts over z and y."""
    _, height, width = heat.shape
    for row in rows:
        z, y = row // height, row % height
        for x in range(width):
            flow[:, z, y, x] = 0.0
            if ids[z, y, x] == 0:
                continue
            dz = _own(heat, ids, (z, y, x), (1, 0, 0)) - _own(heat, ids, (z, y, x), (-1, 0, 0))
            dy = _own(heat, ids, (z, y, x), (0, 1, 0)) - _own(heat, ids, (z, y, x), (0, -1, 0))
            dx = _own(heat, ids, (z, y, x), (0, 0, 1)) - _own(heat, ids, (z, y, x), (0, 0, -1))
            # Far from the middle the squares themselves would be too small for a number.
            largest = max(abs(dz), abs(dy), abs(dx))
            if largest > 0.0:
                dz, dy, dx = dz / largest, dy / largest, dx / largest
                length = math.sqrt(dz * dz + dy * dy + dx * dx)
                flow[0, z, y, x] = dz / length
                flow[1, z, y, x] = dy / length
                flow[2, z, y, x] = dx / length


@jit
def _own(
    heat: NDArray[np.float64],
    ids: NDArray[np.int32],
    place: tuple[int, int, int],
    step: tuple[int, int, int],
) -> float:
    """Heat of a neighbour in the same object, or 0."""
    z, y, x = place[0] + step[0], place[1] + step[1], place[2] + step[2]
    depth, height, width = ids.shape
    if z < 0 or y < 0 or x < 0 or z >= depth or y >= height or x >= width:
        return 0.0
    return heat[z, y, x] if ids[z, y, x] == ids[place] else 0.0
