"""The blended sum of overlapping windows, handed on as soon as no later window can change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from napari_ssp.engine.blending import Map
    from napari_ssp.engine.tiling import Tile

#: Takes the place of a finished block in the array, and the block (C, lengths), float32.
Write = Callable[["Tile", torch.Tensor], None]


class RollingBlend:
    """Weighted mean of windows that come in order along one axis.

    Only the part between the first and the last pixel that windows still reach is held, so memory
    grows with two of the array's axes instead of three.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the spatial axes of the whole array.
    axis : int
        Spatial axis along which windows advance; their starts never decrease on it.
    importance : numpy.ndarray
        Float32 weights of a window's pixels, all above 0.
    write : callable
        Receives finished blocks, in order.
    device : torch.device
        Where sums are kept.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        axis: int,
        importance: Map,
        write: Write,
        device: torch.device,
    ) -> None:
        self._shape = shape
        self._axis = axis
        self._write = write
        self._importance = torch.from_numpy(importance).to(device)
        self._first = 0
        self._sum: torch.Tensor | None = None

    def add(self, tile: Tile, output: torch.Tensor) -> None:
        """Add a window's output, (C, window lengths); what lies before the window is finished."""
        place = tile[self._axis]
        self.finish(place.start)
        self._reach(place.stop, len(output))
        assert self._sum is not None
        within = list(tile)
        within[self._axis] = slice(place.start - self._first, place.stop - self._first)
        spot = (slice(None), *within)
        # The last channel holds the sum of the weights.
        self._sum[:-1][spot] += output * self._importance
        self._sum[-1:][spot] += self._importance

    def finish(self, stop: int) -> None:
        """Hand on all up to a position along the axis."""
        if self._sum is None or stop <= self._first:
            return
        count = min(stop - self._first, self._sum.shape[1 + self._axis])
        done = self._sum.narrow(1 + self._axis, 0, count)
        place = [slice(0, n) for n in self._shape]
        place[self._axis] = slice(self._first, self._first + count)
        self._write(tuple(place), done[:-1] / done[-1:])
        rest = self._sum.shape[1 + self._axis] - count
        self._sum = self._sum.narrow(1 + self._axis, count, rest).clone()
        self._first += count

    def _reach(self, stop: int, channels: int) -> None:
        """Make room up to a position along the axis."""
        held = 0 if self._sum is None else self._sum.shape[1 + self._axis]
        missing = stop - self._first - held
        if missing <= 0:
            return
        shape = [channels + 1, *self._shape]
        shape[1 + self._axis] = missing
        room = torch.zeros(shape, device=self._importance.device)
        self._sum = room if self._sum is None else torch.cat([self._sum, room], 1 + self._axis)
