"""Blocks of planes: their sides, keys and places; integers only, no pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.engine.tiling import compute_zoomed_shape
from napari_ssp.io.ngff.pyramid import level_sides

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Blocks of the network that there are at least before they are made larger: windows that touch
#: several are computed for each of them, half as often where blocks are twice as long.
_ENOUGH = 16
#: Side of the chunks of a Zarr that is written; that of small blocks is their own.
CHUNK = 512


@dataclass(frozen=True)
class Grid:
    """Blocks that cover planes of one shape.

    Attributes
    ----------
    shape : tuple of int
        Lengths of a plane.
    side : int
        Side of a block.
    """

    shape: tuple[int, int]
    side: int

    @property
    def counts(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        rows, columns = (-(-n // self.side) for n in self.shape)
        return rows, columns

    @property
    def size(self) -> int:
        """Blocks of a plane."""
        return self.counts[0] * self.counts[1]

    def keys(self, plane: int) -> Iterator[str]:
        """Keys of the blocks of a plane, row by row."""
        rows, columns = self.counts
        return (f"{plane}-{r}-{c}" for r, c in product(range(rows), range(columns)))

    def box(self, row: int, column: int) -> Tile:
        """Pixels of a block."""
        return tuple(
            slice(k * self.side, min((k + 1) * self.side, n))
            for k, n in zip((row, column), self.shape, strict=True)
        )

    def touching(self, box: Tile, margin: int = 0) -> Iterator[tuple[int, int]]:
        """Rows and columns of the blocks that, with a margin, touch a box; row by row."""
        ranges = (
            range(
                max((part.start - margin) // self.side, 0),
                min(-(-(part.stop + margin) // self.side), count),
            )
            for part, count in zip(box, self.counts, strict=True)
        )
        yield from product(*ranges)


@dataclass(frozen=True, eq=False)
class Grids:
    """All grids of a plan.

    Attributes
    ----------
    seen : Grid
        Of planes as the network sees them, magnified.
    labels : tuple of Grid
        Of the levels of the labels, the full one first; blocks consist of whole chunks.
    chunk : int
        Side of the chunks.
    """

    seen: Grid
    labels: tuple[Grid, ...]
    chunk: int


def make_grids(plan: SegmentPlan) -> Grids:
    """Blocks of a plan that has a side for them.

    Large sides are brought to whole chunks. Where the network sees a smaller plane, its blocks are
    smaller as well: they are read from as many pixels.
    """
    assert plan.tile is not None
    chunk = min(plan.tile, CHUNK)
    side = -(-plan.tile // chunk) * chunk
    height, width = compute_zoomed_shape(plan.shape, plan.zoom)
    seen = Grid((height, width), max(1, round(side * min(plan.zoom, 1.0))))
    longer = replace(seen, side=2 * seen.side)
    if longer.size * len(plan.planes) >= _ENOUGH:
        seen = longer
    return Grids(seen, tuple(Grid(shape, side) for shape in level_sides(*plan.shape)), chunk)


def in_quarters(key: str) -> int:
    """Place of a block in an order by which neighbours come soon after each other (Morton's)."""
    plane, row, column = index_of(key)
    place = plane
    for bit in reversed(range(24)):
        place = place << 2 | (row >> bit & 1) << 1 | column >> bit & 1
    return place


def index_of(key: str) -> tuple[int, int, int]:
    """Plane, row and column of a block."""
    plane, row, column = (int(n) for n in key.split("-"))
    return plane, row, column


def count_up(counts: Sequence[int]) -> NDArray[np.int64]:
    """First number, from 1, of each of several ranges that follow each other, and the next one."""
    return np.cumsum([1, *counts], dtype=np.int64)
