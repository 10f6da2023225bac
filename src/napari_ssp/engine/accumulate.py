"""The sum of overlapping windows, handed on as soon as no later window can change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from napari_ssp.engine.strips import Strip
    from napari_ssp.engine.tiling import Tile

#: Takes the place of a block in the array, the block (C, lengths), float32, and whether it is to be
#: added to what came before at this place.
Write = Callable[["Tile", torch.Tensor, bool], None]


class RollingSum:
    """Sum of windows that come in order along one axis.

    Only the part between the first and the last pixel that windows still reach is held, so memory
    grows with the other axes of the strip alone.

    Parameters
    ----------
    strip : Strip
        Windows that are summed; what they have outside of the array is left out.
    axis : int
        Spatial axis along which windows advance; their starts never decrease on it.
    write : callable
        Receives finished blocks, in order.
    device : torch.device
        Where sums are kept.
    """

    def __init__(self, strip: Strip, axis: int, write: Write, device: torch.device) -> None:
        self._strip = strip
        self._region = region = strip.reach
        self._axis = axis
        self._write = write
        self._device = device
        self._first = region[axis].start
        self._sum: torch.Tensor | None = None

    def add(self, place: Tile, values: torch.Tensor) -> None:
        """Add a window's values, (C, window lengths); what lies before the window is finished."""
        inside, spot = [slice(None)], [slice(None)]
        for part, whole in zip(place, self._region, strict=True):
            start, stop = max(part.start, whole.start), min(part.stop, whole.stop)
            if stop <= start:
                return  # of views that are turned, windows may be shorter than others
            inside.append(slice(start - part.start, stop - part.start))
            spot.append(slice(start - whole.start, stop - whole.start))
        part, whole = place[self._axis], self._region[self._axis]
        self.finish(max(part.start, whole.start))
        self._reach(min(part.stop, whole.stop), len(values))
        assert self._sum is not None
        gone = self._first - whole.start
        along = spot[1 + self._axis]
        spot[1 + self._axis] = slice(along.start - gone, along.stop - gone)
        self._sum[tuple(spot)] += values[tuple(inside)]

    def finish(self, stop: int) -> None:
        """Hand on all up to a position along the axis."""
        if self._sum is None or stop <= self._first:
            return
        count = min(stop - self._first, self._sum.shape[1 + self._axis])
        place = list(self._region)
        place[self._axis] = slice(self._first, self._first + count)
        for part, is_more in self._strip.parts(tuple(place)):
            inside = [
                slice(p.start - whole.start, p.stop - whole.start)
                for p, whole in zip(part, place, strict=True)
            ]
            self._write(part, self._sum[(slice(None), *inside)], is_more)
        rest = self._sum.shape[1 + self._axis] - count
        self._sum = self._sum.narrow(1 + self._axis, count, rest).clone()
        self._first += count

    def _reach(self, stop: int, channels: int) -> None:
        """Make room up to a position along the axis."""
        held = 0 if self._sum is None else self._sum.shape[1 + self._axis]
        missing = stop - self._first - held
        if missing <= 0:
            return
        shape = [channels, *(part.stop - part.start for part in self._region)]
        shape[1 + self._axis] = missing
        room = torch.zeros(shape, device=self._device)
        self._sum = room if self._sum is None else torch.cat([self._sum, room], 1 + self._axis)
