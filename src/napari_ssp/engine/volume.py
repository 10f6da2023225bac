"""Volumes on the way to a network and back: z-score, another voxel size, mirrored margins.

Everything works on blocks, so that a volume need not fit into memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage

from napari_ssp.engine.tiling import add_margin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile

#: Reads a block of a volume, (z, y, x), given one slice per axis.
Read = Callable[["Tile"], "NDArray[Any]"]

# A cubic spline's filter falls below 1e-9 after this many voxels.
_SPLINE_REACH = 16
# Voxels of a block that is resampled, on the finer grid, and its longest side along z.
_BLOCK = 2**21
_DEPTH = 64
# Values that statistics are taken of at once.
_BAND = 2**18


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of all voxels of a volume, in float64."""

    mean: float
    deviation: float


class RunningStatistics:
    """Statistics of a volume whose planes are seen one by one."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0
        self._bad = 0

    def add(self, plane: NDArray[Any]) -> None:
        """Take a plane, or a part of one, of any real dtype into account."""
        step = max(1, _BAND // plane.shape[-1])
        for first in range(0, len(plane), step):
            self._add(np.asarray(plane[first : first + step], np.float64))

    def _add(self, values: NDArray[np.float64]) -> None:
        self._bad += int(values.size - np.count_nonzero(np.isfinite(values)))
        if self._bad:
            return
        # Chan's way to join two samples keeps the digits that a plain sum of squares loses.
        with np.errstate(invalid="ignore", over="ignore"):  # the result is looked at
            difference = values.mean() - self._mean
            total = self._count + values.size
            self._squares += float(values.var()) * values.size
            self._squares += float(difference**2 * self._count * values.size / total)
            self._mean += float(difference * values.size / total)
        self._count = total

    def result(self) -> Statistics:
        """Mean and standard deviation of all planes.

        Raises
        ------
        ValueError
            When voxels are NaN, infinite or too large, or all are equal.
        """
        if self._bad:
            raise ValueError(
                f"{self._bad} voxels are NaN or infinite, so the stack cannot be normalised. "
                "Replace them, e.g. by the stack's median."
            )
        deviation = float(np.sqrt(self._squares / max(self._count, 1)))
        if not np.isfinite(deviation):
            raise ValueError(
                "The voxels of the stack are too large to be normalised: their squares are beyond "
                "the largest number. Divide them, e.g. by the largest one."
            )
        if deviation <= 1e-12 * max(1.0, abs(self._mean)):
            raise ValueError(
                f"All voxels of the stack have the value {self._mean:g}, so there is nothing to "
                "predict from. Check the channel and the time point."
            )
        return Statistics(self._mean, deviation)


@dataclass(frozen=True)
class Resampler:
    """Spline interpolation of a volume on another grid, the first and last voxels in common.

    Attributes
    ----------
    read : callable
        Reads a block of the volume.
    shape : tuple of int
        Lengths of the volume.
    new_shape : tuple of int
        Lengths of the new grid.
    order : int
        Order of the spline: 3 as RepMode's data were made, 1 is linear.

    Notes
    -----
    Equal to ``scipy.ndimage.zoom(volume, mode="nearest")`` of the whole volume.
    """

    read: Read
    shape: tuple[int, ...]
    new_shape: tuple[int, ...]
    order: int = 3

    def block(self, tile: Tile) -> NDArray[np.float64]:
        """Values of a block of the new grid, float64."""
        if self.shape == self.new_shape:
            return np.asarray(self.read(tile), np.float64)
        scales = [_scale(n, m) for n, m in zip(self.shape, self.new_shape, strict=True)]
        reach = _SPLINE_REACH if self.order > 1 else 1
        box, offsets = [], []
        for part, scale, length in zip(tile, scales, self.shape, strict=True):
            start = min(max(int(np.floor(part.start * scale)) - reach, 0), length - 1)
            stop = min(int(np.ceil((part.stop - 1) * scale)) + reach + 1, length)
            box.append(slice(start, stop))
            offsets.append(part.start * scale - start)
        values = np.asarray(self.read(tuple(box)), np.float64)
        wanted = tuple(part.stop - part.start for part in tile)
        return np.asarray(
            ndimage.affine_transform(
                values, scales, offsets, wanted, order=self.order, mode="nearest"
            )
        )

    def blocks(self) -> list[Tile]:
        """Blocks that cover the new grid, each of a size that does not depend on the volume's."""
        shrinks = [max(1.0, n / m) for n, m in zip(self.shape, self.new_shape, strict=True)]
        depth = min(self.new_shape[0], max(1, int(_DEPTH / shrinks[0])))
        side = max(1, int(math.sqrt(_BLOCK / (depth * math.prod(shrinks)))))
        ranges = [
            [slice(a, min(a + step, n)) for a in range(0, n, step)]
            for n, step in zip(self.new_shape, (depth, side, side), strict=True)
        ]
        return list(product(*ranges))


def _scale(length: int, new_length: int) -> float:
    # A single voxel is repeated, whatever the step.
    return (length - 1) / (new_length - 1) if min(length, new_length) > 1 else 1.0


@dataclass(frozen=True)
class VolumeSource:
    """A volume as the network wants it: normalised, at its voxel size, with mirrored margins.

    A network that pads with zeros sees the mean beyond the rim of its window, and draws a thin
    bright line there; within margins, no pixel of the image lies at a rim along y or x. Along z
    there are none: a further window there costs as much again.

    Attributes
    ----------
    resampler : Resampler
        The raw volume on the network's grid.
    statistics : Statistics
        Of the whole raw volume.
    window : tuple of int
        Lengths that a window has.
    margin : int
        Mirrored pixels on each side along y and x; where a window is longer still, it has more.
    """

    resampler: Resampler
    statistics: Statistics
    window: tuple[int, ...]
    margin: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths with the mirrored margins, at least those of a window."""
        lengths = add_margin(self.resampler.new_shape, self.margin)
        return tuple(max(n, w) for n, w in zip(lengths, self.window, strict=True))

    @property
    def inside(self) -> Tile:
        """Where the volume lies between its margins."""
        lengths = self.resampler.new_shape
        starts = [(w - n) // 2 for n, w in zip(lengths, self.shape, strict=True)]
        return tuple(slice(s, s + n) for s, n in zip(starts, lengths, strict=True))

    def read(self, tile: Tile) -> torch.Tensor:
        """Float32 (1, z, y, x) of one window."""
        box, margins = [], []
        for part, inside in zip(tile, self.inside, strict=True):
            start, stop = max(part.start, inside.start), min(part.stop, inside.stop)
            box.append(slice(start - inside.start, stop - inside.start))
            margins.append((start - part.start, part.stop - stop))
        values = self.resampler.block(tuple(box))
        normal = (values - self.statistics.mean) / self.statistics.deviation
        if any(margin != (0, 0) for margin in margins):
            normal = np.pad(normal, margins, mode="symmetric")
        return torch.from_numpy(np.ascontiguousarray(normal, np.float32))[None]
