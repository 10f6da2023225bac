"""The objects of a result that is not finished, as far as its blocks are done."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io.lazy import LazyArray
from napari_ssp.service.blocks.estimate import MARGIN
from napari_ssp.service.blocks.grid import index_of
from napari_ssp.service.blocks.unfinished import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.service.blocks.grid import Grids
    from napari_ssp.service.blocks.unfinished import Unfinished
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Pixels that are kept in memory, so that a look at the whole image reads no block.
_KEPT = 2**24


class PartialLabels:
    """Objects to look at before they are complete; their numbers are provisional.

    They are those before any check: some will be dropped, and small holes are filled later.

    Parameters
    ----------
    unfinished : Unfinished
        Where blocks are.
    plan : SegmentPlan
        What is segmented.
    grids : Grids
        Places of the blocks.

    Attributes
    ----------
    levels : tuple of LazyArray
        Uint32, axes as ``axes``, the full one first; each next has every second pixel.
    axes : str
        As of the result.
    origin : tuple of int
        (t, z, y, x) of the first pixel in the full image.
    channel : int
        Channel that is read.
    count : int
        Blocks that are done.
    """

    def __init__(self, unfinished: Unfinished, plan: SegmentPlan, grids: Grids) -> None:
        self._unfinished, self._grid = unfinished, grids.labels[0]
        self._first: dict[str, int] = {}  # number of the first object of each block with objects
        self._next = 1
        self.count = 0
        self.axes, self.channel = plan.axes, plan.channel or 0
        time, z = plan.planes[0]
        self.origin = (time, z, plan.region[0], plan.region[2])
        lead = tuple(plan.image.sizes[letter] for letter in plan.axes[:-2])
        steps = [2**n for n in range(len(grids.labels))]
        self.levels = tuple(
            PartialLevel(self, step, (*lead, *grid.shape))
            for step, grid in zip(steps, grids.labels, strict=True)
        )
        small = [level for level in self.levels if prod(level.shape) <= _KEPT]
        overview = small[0] if small else self.levels[-1]
        self._step = overview.step
        self._overview = np.zeros((prod(lead), *overview.shape[-2:]), np.uint32)

    def add(self, key: str) -> None:
        """Show a block from now on."""
        count = int(self._unfinished.facts("objects", key)["count"])
        if count:
            self._first[key] = self._next
            self._next += count
            whole = tuple(slice(0, n) for n in self._grid.shape)
            self._draw(self._overview[index_of(key)[0]], whole, self._step, key)
        self.count += 1

    def read(self, plane: int, step: int, box: Tile) -> NDArray[np.uint32]:
        """Read every so many pixels of a box of a plane, uint32 (Y, X).

        Parameters
        ----------
        plane : int
            Which of the planes.
        step : int
            That of one of the levels.
        box : tuple of slice
            In pixels of that level.
        """
        if step >= self._step:
            kept = self._overview[plane]
            return kept[:: step // self._step, :: step // self._step][box]
        full = tuple(slice(part.start * step, part.stop * step) for part in box)
        found = np.zeros([part.stop - part.start for part in box], np.uint32)
        for row, column in self._grid.touching(full, MARGIN):
            key = f"{plane}-{row}-{column}"
            if key in self._first:
                with suppress(*DAMAGE):  # finished meanwhile, or deleted
                    self._draw(found, full, step, key)
        return found

    def _draw(self, target: NDArray[np.uint32], box: Tile, step: int, key: str) -> None:
        """Lay the objects of a block over a box of which every so many pixels are there."""
        here, there = [], []
        for part, core in zip(box, self._grid.box(*index_of(key)[1:]), strict=True):
            seen = max(core.start - MARGIN, 0)
            start = part.start + -(-max(seen - part.start, 0) // step) * step
            stop = max(min(core.stop + MARGIN, part.stop), start)
            first, count = (start - part.start) // step, -(-(stop - start) // step)
            here.append(slice(first, first + count))
            there.append(slice(start - seen, stop - seen, step))
        piece = self._unfinished.load("objects", key)[tuple(there)]
        shown = target[tuple(here)][: piece.shape[0], : piece.shape[1]]
        np.add(piece, np.uint32(self._first[key] - 1), out=shown, where=piece > 0)


@dataclass(eq=False)
class PartialLevel(LazyArray):
    """One level of partial labels.

    Attributes
    ----------
    labels : PartialLabels
        What it is a level of.
    step : int
        Pixels of the full level from one of its pixels to the next.
    shape : tuple of int
        Length of each axis.
    """

    labels: PartialLabels
    step: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = np.dtype(np.uint32)

    @property
    def chunks(self) -> tuple[int, ...]:
        """One plane."""
        return (1,) * (self.ndim - 2) + self.shape[-2:]

    def _read(self, box: Sequence[range]) -> NDArray[Any]:
        found = np.zeros([len(part) for part in box], np.uint32)
        *lead, rows, columns = box
        inside = (slice(rows.start, rows.stop), slice(columns.start, columns.stop))
        for place in np.ndindex(*found.shape[:-2]):
            index = [part[k] for part, k in zip(lead, place, strict=True)]
            plane = int(np.ravel_multi_index(index, self.shape[:-2])) if lead else 0
            found[place] = self.labels.read(plane, self.step, inside)
        return found
