"""Compiled Euler steps: cell pixels follow the flow to where it ends.

The field is what a pixel needs for one step, side by side in memory, with a border of 1 around the
image: the flow in pixels, 0 outside cells, and the trust of the square (the cube) of pixels that
begins here: the lowest cell probability in it, or -inf where a step might leap over a pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.flows.jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pixels that move side by side, and steps between two looks for those that have come to rest.
_BLOCK, _STRIDE = 32, 8
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1), np.float32(0)
_NO_PIXEL = np.float32(np.inf)
_FAST = np.float32(1.96)
_U1, _U2, _RIGHT = np.uint64(1), np.uint64(2), np.uint64(3)


def empty_field(axes: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Field of an image (Z, Y, X): (Z + 2, Y + 2, X + 2, axes + 1), or one layer for a plane."""
    z, y, x = shape
    return np.zeros((z + 2 * (axes - 2), y + 2, x + 2, axes + 1), np.float32)


@jit
def write_flow(
    flows: NDArray[np.float32],
    mask: NDArray[np.bool_],
    rows: NDArray[np.int64],
    field: NDArray[np.float32],
) -> None:
    """Write flows (axes, Z, Y, X) into the field where the mask holds, 0 elsewhere.

    ``rows`` says which rows to write, counted over the image's planes.
    """
    axes, _, height, width = flows.shape
    for row in rows:
        z, y = row // height, row % height
        for x in range(width):
            for a in range(axes):
                value = flows[a, z, y, x] if mask[z, y, x] else _ZERO
                field[z + axes - 2, y + 1, x + 1, a] = value


@jit
def write_trust(
    flows: NDArray[np.float32],
    probability: NDArray[np.float32],
    rows: NDArray[np.int64],
    field: NDArray[np.float32],
) -> None:
    """Write the trust into the field; ``rows`` are counted over the field's layers."""
    axes, depth, height, width = flows.shape
    for row in rows:
        layer, line = row // (height + 2), row % (height + 2)
        if layer < depth + axes - 2 and line <= height:
            for x in range(width + 1):
                field[layer, line, x, axes] = _trust(flows, probability, layer, line, x)


@jit
def _trust(
    flows: NDArray[np.float32], probability: NDArray[np.float32], z: int, y: int, x: int
) -> np.float32:
    """Lowest probability of the pixels that one sample reads; a place outside has no say."""
    axes, depth, height, width = flows.shape
    lowest = _NO_PIXEL
    fastest = _ZERO
    for c in range(max(z - 1, 0) if axes == 3 else 0, min(z + 1, depth) if axes == 3 else 1):
        for i in range(max(y - 1, 0), min(y + 1, height)):
            for j in range(max(x - 1, 0), min(x + 1, width)):
                lowest = min(lowest, probability[c, i, j])
                speed = _ZERO
                for a in range(axes):
                    speed += flows[a, c, i, j] * flows[a, c, i, j]
                fastest = max(speed, fastest)
    # A step that is not long along two axes ends in a square that shares a face with this one.
    return lowest if fastest < _FAST else -_NO_PIXEL


@jit
def follow_in_plane(
    field: NDArray[np.float32],
    starts: NDArray[np.int32],
    n_steps: int,
    ends: NDArray[np.int32],
    trust: NDArray[np.float32],
) -> None:
    """Move start pixels along the field; write where they end and the lowest trust on the way.

    Positions are sampled half a pixel off, as by the reference: its grid is normalised with aligned
    corners and read without. Pixels that are where they were two steps ago stay in that circle and
    leave the loop.
    """
    height, width = field.shape[1] - 2, field.shape[2] - 2
    stretch_y = np.float32(height / max(height - 1, 1))
    stretch_x = np.float32(width / max(width - 1, 1))
    last_y, last_x = np.float32(height - 1), np.float32(width - 1)
    flat = field.reshape(-1)
    # Unsigned, because signed indices are checked for being negative at every reading.
    below = np.uint64(_RIGHT * np.uint64(width + 2))
    y, x, low = _room(), _room(), _room()
    before_y, before_x, earlier_y, earlier_x = _room(), _room(), _room(), _room()
    who = np.empty(_BLOCK, np.int64)
    for begin in range(0, len(starts), _BLOCK):
        moving = min(_BLOCK, len(starts) - begin)
        for i in range(moving):
            who[i] = begin + i
            y[i] = starts[begin + i] // width
            x[i] = starts[begin + i] % width
            low[i] = _NO_PIXEL
        done = 0
        while moving:
            steps = min(_STRIDE, n_steps - done)
            for step in range(steps):
                if step >= steps - 2:
                    for i in range(moving):
                        earlier_y[i], earlier_x[i] = before_y[i], before_x[i]
                        before_y[i], before_x[i] = y[i], x[i]
                for i in range(moving):
                    v = y[i] * stretch_y + _HALF
                    u = x[i] * stretch_x + _HALF
                    row, column = np.int32(v), np.int32(u)
                    down, across = v - np.float32(row), u - np.float32(column)
                    up, back = _ONE - down, _ONE - across
                    at = np.uint64(row) * below + np.uint64(column) * _RIGHT
                    under = at + below
                    a, b, c, d = up * back, up * across, down * back, down * across
                    dy = a * flat[at] + b * flat[at + _RIGHT]
                    dy += c * flat[under] + d * flat[under + _RIGHT]
                    dx = a * flat[at + _U1] + b * flat[at + _RIGHT + _U1]
                    dx += c * flat[under + _U1] + d * flat[under + _RIGHT + _U1]
                    low[i] = min(low[i], flat[at + _U2])
                    y[i] = min(max(y[i] + dy, _ZERO), last_y)
                    x[i] = min(max(x[i] + dx, _ZERO), last_x)
            done += steps
            odd = (n_steps - done) % 2 == 1
            left = 0
            for i in range(moving):
                circling = steps > 1 and earlier_y[i] == y[i] and earlier_x[i] == x[i]
                if circling or done >= n_steps:
                    end_y = before_y[i] if odd else y[i]
                    end_x = before_x[i] if odd else x[i]
                    ends[who[i]] = int(end_y) * width + int(end_x)
                    trust[who[i]] = low[i]
                else:
                    y[left], x[left], low[left], who[left] = y[i], x[i], low[i], who[i]
                    left += 1
            moving = left


@jit
def follow_in_volume(
    field: NDArray[np.float32],
    starts: NDArray[np.int32],
    n_steps: int,
    ends: NDArray[np.int32],
    trust: NDArray[np.float32],
) -> None:
    """Do the same in a volume, sampled where the positions are."""
    depth, height, width = field.shape[0] - 2, field.shape[1] - 2, field.shape[2] - 2
    here = np.empty(3, np.float32)
    before = np.empty(3, np.float32)
    for k in range(len(starts)):
        row = starts[k] // width
        here[0], here[1], here[2] = row // height, row % height, starts[k] % width
        before[:] = -_ONE
        low = _NO_PIXEL
        for step in range(n_steps):
            z, y, x = int(here[0]), int(here[1]), int(here[2])
            move, seen = _sample(field, here, z, y, x)
            low = min(low, seen)
            new_z = min(max(here[0] + move[0], _ZERO), np.float32(depth - 1))
            new_y = min(max(here[1] + move[1], _ZERO), np.float32(height - 1))
            new_x = min(max(here[2] + move[2], _ZERO), np.float32(width - 1))
            circling = before[0] == new_z and before[1] == new_y and before[2] == new_x
            if circling and (n_steps - step) % 2 == 0:
                break  # the last of an even number of steps to come ends here again
            before[0], before[1], before[2] = here[0], here[1], here[2]
            here[0], here[1], here[2] = new_z, new_y, new_x
            if circling:
                break
        ends[k] = (int(here[0]) * height + int(here[1])) * width + int(here[2])
        trust[k] = low


@jit
def _sample(
    field: NDArray[np.float32], place: NDArray[np.float32], z: int, y: int, x: int
) -> tuple[tuple[np.float32, np.float32, np.float32], np.float32]:
    """Interpolate the flow between the eight pixels around a place."""
    dz = dy = dx = _ZERO
    for c in range(2):
        part_z = place[0] - z if c else z + _ONE - place[0]
        for b in range(2):
            part_y = part_z * (place[1] - y if b else y + _ONE - place[1])
            for a in range(2):
                part = np.float32(part_y * (place[2] - x if a else x + _ONE - place[2]))
                dz += part * field[z + c + 1, y + b + 1, x + a + 1, 0]
                dy += part * field[z + c + 1, y + b + 1, x + a + 1, 1]
                dx += part * field[z + c + 1, y + b + 1, x + a + 1, 2]
    return (dz, dy, dx), field[z + 1, y + 1, x + 1, 3]


@jit
def _room() -> NDArray[np.float32]:
    return np.zeros(_BLOCK, np.float32)
