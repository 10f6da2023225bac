"""Boxes of a plane put together from the pieces that workers have stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from napari_ssp.engine.plane import resample_box
from napari_ssp.flows.stitching import MARGIN, find_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.service.blocks.grid import Grids
    from napari_ssp.service.blocks.unfinished import Unfinished


@dataclass(frozen=True, eq=False)
class StoredPlane:
    """One plane of a result that is not finished.

    Attributes
    ----------
    unfinished : Unfinished
        Where its pieces are.
    grids : Grids
        Their places.
    plane : int
        Which of the planes it is.
    """

    unfinished: Unfinished
    grids: Grids
    plane: int

    def key(self, row: int, column: int) -> str:
        """Key of a block."""
        return f"{self.plane}-{row}-{column}"

    def number(self, row: int, column: int) -> int:
        """Count the blocks of the labels before one, row by row."""
        return row * self.grids.labels[0].counts[1] + column

    def outputs(self, box: Tile) -> NDArray[np.float32]:
        """Float32 (3, Y, X): flow_y, flow_x and cell probability."""
        seen, shape = self.grids.seen.shape, self.grids.labels[0].shape
        values = resample_box(self._predicted, seen, shape, box)
        # The sigmoid comes after the averaging, as in MEDIAR.
        values[2] = expit(values[2])
        return values

    def _predicted(self, box: Tile) -> NDArray[np.float32]:
        values = np.empty((3, *(part.stop - part.start for part in box)), np.float32)
        grid = self.grids.seen
        for row, column in grid.touching(box):
            here, there = _overlap(box, grid.box(row, column))
            piece = self.unfinished.load("network", self.key(row, column))
            values[(slice(None), *here)] = piece[(slice(None), *there)]
        return values

    def born(self) -> NDArray[np.int64]:
        """First number of the objects of each block, before any is dropped, and the next one."""
        return np.asarray(self.unfinished.load("born", str(self.plane)))

    def objects(
        self, box: Tile, born: NDArray[np.int64], without_bad: bool = False
    ) -> NDArray[np.uint32]:
        """Objects of all blocks that have some in a box, uint32 (Y, X)."""
        found = np.zeros([part.stop - part.start for part in box], np.uint32)
        grid = self.grids.labels[0]
        for row, column in grid.touching(box, MARGIN):
            key, first = self.key(row, column), born[self.number(row, column)]
            if born[self.number(row, column) + 1] == first:
                continue
            here, there = _overlap(box, find_block(grid.shape, grid.side, row, column).seen)
            part = self.unfinished.load("objects", key)[there]
            table = np.arange(first - 1, born[self.number(row, column) + 1], dtype=np.uint32)
            table[0] = 0
            if without_bad:
                table[1:][np.asarray(self.unfinished.load("check", key))] = 0
            found[here] = np.where(part > 0, table[part], found[here])
        return found

    def cleaned(self, box: Tile) -> NDArray[np.uint32]:
        """Read what the check and the cleaning left of the objects, uint32 (Y, X)."""
        found = np.zeros([part.stop - part.start for part in box], np.uint32)
        grid = self.grids.labels[0]
        for row, column in grid.touching(box):
            here, there = _overlap(box, grid.box(row, column))
            found[here] = self.unfinished.load("clean", self.key(row, column))[there]
        return found


def renumber(
    labels: NDArray[np.uint32], born: NDArray[np.int64], numbers: Callable[[int], NDArray[Any]]
) -> NDArray[np.uint32]:
    """Give objects their final numbers.

    Parameters
    ----------
    labels : numpy.ndarray
        Uint32 (Y, X), numbered as ``born`` says.
    born : numpy.ndarray
        As `StoredPlane.born`.
    numbers : callable
        Final numbers of the objects of a block, 0 for those that are dropped.
    """
    ids, local = np.unique(labels, return_inverse=True)
    final = np.zeros(len(ids), np.uint32)
    owners = np.searchsorted(born, ids, side="right") - 1
    for owner in np.unique(owners[ids > 0]):
        mine = (owners == owner) & (ids > 0)
        final[mine] = numbers(int(owner))[ids[mine] - born[owner]]
    return final[local.reshape(labels.shape)]


def _overlap(box: Tile, other: Tile) -> tuple[Tile, Tile]:
    """Give what two boxes have in common, as places in each of them."""
    both = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, other, strict=True)]
    first, second = (
        tuple(
            slice(start - part.start, stop - part.start)
            for (start, stop), part in zip(both, whole, strict=True)
        )
        for whole in (box, other)
    )
    return first, second
