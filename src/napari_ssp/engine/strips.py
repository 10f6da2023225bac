"""Strips of an array whose windows are summed one after the other, so that sums stay small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_ssp.engine.layout import Layout
    from napari_ssp.engine.tiling import Tile

#: Lengths of a window that a strip has along the last axis across it; along others it has one.
WIDTH = 4


@dataclass(frozen=True)
class Strip:
    """Windows that are summed together.

    Attributes
    ----------
    begins : tuple of slice
        Where they begin, one range per axis; each window is in one strip only.
    reach : tuple of slice
        Pixels of the array that they reach.
    fresh : tuple of int
        What lies before it on any axis is reached by earlier strips, too.
    """

    begins: Tile
    reach: Tile
    fresh: tuple[int, ...]

    def within(self, box: Tile, window: tuple[int, ...]) -> Strip | None:
        """Part of it in a box, of the windows that may touch it; None where none does."""
        reach = tuple(
            slice(max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(self.reach, box, strict=True)
        )
        if any(part.stop <= part.start for part in reach):
            return None
        begins = tuple(
            slice(max(part.start, here.start - length + 1), min(part.stop, here.stop))
            for part, here, length in zip(self.begins, reach, window, strict=True)
        )
        return replace(self, begins=begins, reach=reach)

    def parts(self, place: Tile) -> Iterator[tuple[Tile, bool]]:
        """Cut a box within the reach where it was reached before; says of each part whether."""
        axes = []
        for part, fresh in zip(place, self.fresh, strict=True):
            cut = min(max(fresh, part.start), part.stop)
            halves = [(slice(part.start, cut), True), (slice(cut, part.stop), False)]
            axes.append([half for half in halves if half[0].stop > half[0].start])
        for chosen in product(*axes):
            yield tuple(half for half, _ in chosen), any(before for _, before in chosen)


def strips(layouts: Sequence[Layout], axis: int) -> list[Strip]:
    """Cut an array into strips along an axis, in an order that makes ``fresh`` true.

    How wide they are depends on the window alone, so memory does not grow with the array.

    Parameters
    ----------
    layouts : sequence of Layout
        Where windows lie, one per view.
    axis : int
        Axis on which a strip is as long as the array.

    Returns
    -------
    list of Strip
    """
    across = [k for k in range(len(layouts[0].shape)) if k != axis]
    widths: list[int | None] = [1] * (len(across) + 1)
    widths[axis] = None
    if across:
        widths[across[-1]] = WIDTH
    ranges = [_ranges(layouts, k, width) for k, width in enumerate(widths)]
    return [Strip(*zip(*chosen, strict=True)) for chosen in product(*ranges)]


def _ranges(
    layouts: Sequence[Layout], axis: int, width: int | None
) -> list[tuple[slice, slice, int]]:
    """Begins, reach and fresh along one axis, of as many windows as are within a width."""
    length = layouts[0].shape[axis]
    places = sorted({(p.start, p.stop) for a in layouts for p, _ in a.windows(axis)})
    room = places[-1][1] - places[0][0] if width is None else width * max(b - a for a, b in places)
    found, fresh = [], 0
    while places:
        first = places[0][0]
        here = [p for p in places if p[0] == first or p[1] <= first + room]
        # All that begin before the first one that does not fit, which may be longer than others.
        end = min((p[0] for p in places if p not in here), default=here[-1][0] + 1)
        here, places = [p for p in places if p[0] < end], [p for p in places if p[0] >= end]
        stop = min(max(p[1] for p in here), length)
        found.append((slice(first, end), slice(max(first, 0), stop), fresh))
        fresh = max(fresh, stop)
    return found
