"""Planes of one size side by side in a network's window: integers only, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.engine.tiling import WINDOW_MULTIPLE, count_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_ssp.engine.tiling import Tile

#: Pixels between two planes: one of a network's coarsest level, so that none shows both.
GAP = WINDOW_MULTIPLE


@dataclass(frozen=True)
class Montage:
    """Places of planes that one window has room for.

    A plane that is shorter than a window would be computed with zeros around it; the planes of a
    thin stack from the side are, and there are hundreds of them.

    Attributes
    ----------
    plane : tuple of int
        Lengths of a plane.
    window : tuple of int
        Lengths of a window. Along an axis on which a plane is longer there is one.
    """

    plane: tuple[int, int]
    window: tuple[int, int]

    @property
    def room(self) -> int:
        """Most planes that are computed at once."""
        rows, columns = self._room
        return rows * columns

    @property
    def _room(self) -> tuple[int, int]:
        rows, columns = (
            max(1, (most + GAP) // (length + GAP))
            for length, most in zip(self.plane, self.window, strict=True)
        )
        return rows, columns

    def shape(self, count: int) -> tuple[int, int]:
        """Lengths of so many planes with their gaps."""
        columns = min(count, self._room[1])
        rows = -(-count // columns)
        return rows * (self.plane[0] + GAP) - GAP, columns * (self.plane[1] + GAP) - GAP

    def places(self, count: int) -> Iterator[Tile]:
        """Place of each of so many planes, row by row."""
        for k in range(count):
            corner = divmod(k, self._room[1])
            yield tuple(
                slice(at * (length + GAP), at * (length + GAP) + length)
                for at, length in zip(corner, self.plane, strict=True)
            )

    def count_windows(self, planes: int, overlap: float) -> int:
        """Count the windows of so many planes."""
        full, rest = divmod(planes, self.room)
        counts = [(full, self.room), (1, rest)]
        return sum(
            times * count_tiles(self.shape(many), self.window, overlap)
            for times, many in counts
            if times and many
        )
