"""Flows to labels for planes of any size, block by block and without a seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_ssp.flows.checking import FlowCheck
from napari_ssp.flows.cleaning import fill_small_holes, without
from napari_ssp.flows.diffusion import heat_steps
from napari_ssp.flows.field import FLOW_SCALE, FlowField, TrackingSettings
from napari_ssp.flows.jit import jit
from napari_ssp.flows.numbering import pixel_counts
from napari_ssp.flows.threads import spread
from napari_ssp.labels import number_labels
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

Box = tuple[slice, slice]
#: Reads flow_y, flow_x and cell probability of a box, float32 (3, Y, X).
Read = Callable[[Box], "NDArray[np.float32]"]

#: Euler steps that a pixel follows.
N_STEPS = 200
#: Pixels that a block sees around its core: flows have length 1, and some networks' are longer.
MARGIN = N_STEPS + 62
_PORTION = 1 << 14
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1), np.float32(0)


class LabelStore(Protocol):
    """Labels of a plane, read and written box by box."""

    def read(self, tile: Any) -> NDArray[np.uint32]:
        """Copy of a box."""

    def write(self, tile: Any, block: NDArray[np.uint32]) -> None:
        """Put a box at its place."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a block lies in its plane.

    Attributes
    ----------
    plane : tuple of int
        Lengths of the plane.
    core : tuple of slice
        The part that the block decides about.
    seen : tuple of slice
        What it sees: the core and a margin.
    """

    plane: tuple[int, int]
    core: Box
    seen: Box

    @property
    def corner(self) -> tuple[int, int]:
        """First pixel of what is seen."""
        return self.seen[0].start, self.seen[1].start

    def holds(self, flat: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether pixels, numbered within what is seen, lie in the core."""
        width = self.seen[1].stop - self.seen[1].start
        y, x = flat // width + self.corner[0], flat % width + self.corner[1]
        rows, columns = self.core
        inside = (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
        return np.asarray(inside & (flat >= 0))


def stitch_labels(
    read: Read,
    store: LabelStore,
    shape: tuple[int, int],
    settings: TrackingSettings,
    tile: int,
    first_id: int = 1,
) -> Steps[int]:
    """Labels of a plane from its flows, with no more than one block in memory.

    A pixel moves by at most one step's length 200 times, so a block that also sees a margin of 262
    pixels sees every pixel that ends in its core, and so the whole of every object whose pixels
    meet there. It follows them in the coordinates of the whole plane, writes the objects that meet
    in its core, wherever their pixels lie, and leaves the others to the blocks in whose core they
    meet. Every object is thus written once and as it is in the whole plane: nothing has to be
    joined or cut at a seam, whatever the size of objects and blocks. When all are written, the flow
    check and the cleaning go over the blocks again, with what only the whole can tell: how long
    heat spreads, and how large an object is. The labels are those of `flows_to_labels`, but for the
    order of ids, and but for parts of the mask that a block cuts where ``min_size`` and
    ``hole_size`` are above some thousand pixels.

    Parameters
    ----------
    read : callable
        Reads flow_y, flow_x (5 times unit vectors) and cell probability of a box.
    store : LabelStore
        Zeros; receives the labels.
    shape : tuple of int
        Lengths of the plane.
    settings : TrackingSettings
        Thresholds and sizes.
    tile : int
        Side of a block's core, in pixels.
    first_id : int
        Number of the first object; the others follow without gaps.

    Yields
    ------
    Progress
        Stage "tracking flows", after every block.

    Returns
    -------
    int
        How many objects there are.
    """
    plane = _Passes(read, store, settings)
    places = _places(shape, tile)
    passes = (plane.track, plane.check, plane.clean, plane.number)
    total = len(passes) * len(places)
    for order, work in enumerate(passes):
        if order == passes.index(plane.number):
            plane.choose(first_id)
        for done, place in enumerate(places, order * len(places)):
            yield Progress("tracking flows", done, total)
            work(place)
    yield Progress("tracking flows", total, total)
    return plane.count


@dataclass(frozen=True, eq=False)
class Tracked:
    """Objects that meet in a block's core, before any check.

    Attributes
    ----------
    objects : numpy.ndarray
        Int32, of what the block sees: 0, or an object from 1 on.
    count : int
        How many there are.
    n_steps : int
        Steps that heat needs to spread in them.
    """

    objects: NDArray[np.int32]
    count: int
    n_steps: int


def track_block(
    outputs: NDArray[np.float32], place: Place, settings: TrackingSettings
) -> Tracked | None:
    """Objects that meet in a block's core; None where there are none.

    Parameters
    ----------
    outputs : numpy.ndarray
        Float32 (3, Y, X) of what the block sees: flow_y, flow_x and cell probability.
    place : Place
        The block.
    settings : TrackingSettings
        Thresholds.
    """
    if not (outputs[2] > np.float32(settings.cell_threshold)).any():
        return None
    objects, count = _Part(outputs, place).own_objects(settings)
    return Tracked(objects, count, heat_steps(objects[None], count, 2)) if count else None


def find_bad(
    labels: NDArray[np.uint32], flows: NDArray[np.float32], born: range, n_steps: int, worst: float
) -> NDArray[np.bool_]:
    """Which of a block's objects have flows that are not their own.

    Parameters
    ----------
    labels : numpy.ndarray
        Uint32, of what the block sees: the objects of all blocks.
    flows : numpy.ndarray
        Float32 (2, Y, X): flow_y, flow_x.
    born : range
        Numbers of the block's own objects.
    n_steps : int
        Steps in which heat spreads in the largest object of the plane.
    worst : float
        Largest error that is allowed; 0 allows all.

    Returns
    -------
    numpy.ndarray
        Bool, one for each number in ``born``.
    """
    bad = np.zeros(len(born), np.bool_)
    if worst and born:
        ids, local = number_labels(labels)
        unit = flows[:, None] / np.float32(FLOW_SCALE)
        errors = FlowCheck(unit).errors(local[None], len(ids), n_steps)[1:]
        mine = (ids >= born.start) & (ids < born.stop)
        bad[ids[mine] - born.start] = errors[mine] > worst
    return bad


def clean_block(labels: NDArray[np.uint32], place: Place, holes: int) -> NDArray[np.uint32]:
    """Core of a block, of all that it sees without bad objects, with small holes filled."""
    filled = fill_small_holes(labels.astype(np.int32), holes)
    (top, left), (rows, columns) = place.corner, place.core
    core = filled[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return core.astype(np.uint32)


class _Passes:
    """What is done to each block of a plane, one pass after the other."""

    def __init__(self, read: Read, store: LabelStore, settings: TrackingSettings) -> None:
        self._read, self._store, self._settings = read, store, settings
        self._born: dict[Place, range] = {}
        self._n_steps = 0
        self._bad = np.zeros(1, np.bool_)
        self._sizes = np.zeros(1, np.int64)
        self._table = np.zeros(1, np.uint32)
        self.count = 0

    def track(self, place: Place) -> None:
        """Write the objects that meet in the core, with ids of their own."""
        first = len(self._bad)
        self._born[place] = range(first, first)
        tracked = track_block(self._read(place.seen), place, self._settings)
        if tracked is None:
            return
        self._n_steps = max(self._n_steps, tracked.n_steps)
        written, objects = self._store.read(place.seen), tracked.objects
        written[objects > 0] = objects[objects > 0] + np.uint32(first - 1)
        self._store.write(place.seen, written)
        self._born[place] = range(first, first + tracked.count)
        self._bad = np.zeros(first + tracked.count, np.bool_)
        self._sizes = np.zeros(first + tracked.count, np.int64)

    def check(self, place: Place) -> None:
        """Note which of the block's objects have flows that are not their own."""
        born, worst = self._born[place], self._settings.flow_threshold
        if worst and born:
            labels, flows = self._store.read(place.seen), self._read(place.seen)[:2]
            self._bad[born.start : born.stop] = find_bad(labels, flows, born, self._n_steps, worst)

    def clean(self, place: Place) -> None:
        """Drop what the check has found and fill holes; ids stay."""
        labels = self._store.read(place.seen)
        labels[self._bad[labels]] = 0
        core = clean_block(labels, place, self._settings.holes)
        self._sizes += pixel_counts(core.astype(np.int32), len(self._sizes) - 1)
        self._store.write(place.core, core)

    def choose(self, first_id: int) -> None:
        """Choose numbers, without gaps, for the objects that are large enough."""
        keep = self._sizes >= max(self._settings.min_size, 1)
        keep[0] = False
        self.count = int(keep.sum())
        self._table = np.where(keep, np.cumsum(keep) + (first_id - 1), 0).astype(np.uint32)

    def number(self, place: Place) -> None:
        """Give the objects their final numbers."""
        self._store.write(place.core, self._table[self._store.read(place.core)])


def _places(shape: tuple[int, int], tile: int) -> list[Place]:
    if tile < 1:
        raise ValueError(f"The side of a block is {tile}; it must be at least 1 pixel.")
    counts = (range(-(-n // tile)) for n in shape)
    return [find_block(shape, tile, row, column) for row, column in product(*counts)]


def find_block(shape: tuple[int, int], tile: int, row: int, column: int) -> Place:
    """Block of a plane by its row and column among blocks of a side."""
    core, seen = [], []
    for n, k in zip(shape, (row, column), strict=True):
        start, stop = k * tile, min((k + 1) * tile, n)
        core.append(slice(start, stop))
        seen.append(slice(max(start - MARGIN, 0), min(stop + MARGIN, n)))
    return Place(shape, (core[0], core[1]), (seen[0], seen[1]))


class _Part(FlowField):
    """Flows of a block that knows where in its plane it lies."""

    def __init__(self, outputs: NDArray[np.float32], place: Place) -> None:
        super().__init__(outputs[:2], outputs[2], N_STEPS)
        self._place = place

    def own_objects(self, settings: TrackingSettings) -> tuple[NDArray[np.int32], int]:
        """Objects 1..n whose pixels meet in the core, before any check, and n."""
        objects, count = self._objects(settings)
        ends = self._ends.astype(np.int64, copy=False)
        sinks = _sinks(np.flatnonzero(objects), ends, objects.reshape(-1), count)
        own = self._place.holds(sinks)
        return without(objects, ~own)[0], int(own[1:].sum())

    def _follow(self, mask: NDArray[np.bool_], starts: NDArray[Any], threshold: np.float32) -> None:
        _, height, width = mask.shape
        field = np.zeros((height + 2, width + 2, 2), np.float32)
        field[1:-1, 1:-1] = np.moveaxis(np.where(mask[0], self._unit[:, 0], _ZERO), 0, -1)
        place = np.array([*self._place.corner, *self._place.plane])
        ends: NDArray[Any] = self._ends
        portions = np.arange(0, len(starts), _PORTION)

        def work(part: NDArray[np.int64]) -> None:
            for begin in portions[part]:
                mine = starts[begin : begin + _PORTION]
                _follow_in_part(field, mine, place, self.n_steps, ends)

        if len(starts):
            spread(work, np.full(len(portions), float(_PORTION * self.n_steps)))


@jit
def _follow_in_part(
    field: NDArray[np.float32],
    starts: NDArray[np.int32],
    place: NDArray[np.int64],
    n_steps: int,
    ends: NDArray[np.int32],
) -> None:
    """Move start pixels along the field (Y + 2, X + 2, 2) and write where they end.

    Positions are those in the whole plane, so that rounding and the half pixel by which
    `follow_in_plane` samples off are the same in every block. A pixel that leaves the block stays
    at its border.
    """
    height, width = field.shape[0] - 2, field.shape[1] - 2
    oy, ox, plane_height, plane_width = place
    stretch_y = np.float32(plane_height / max(plane_height - 1, 1))
    stretch_x = np.float32(plane_width / max(plane_width - 1, 1))
    last_y, last_x = np.float32(plane_height - 1), np.float32(plane_width - 1)
    for start in starts:
        y, x = np.float32(start // width + oy), np.float32(start % width + ox)
        before_y, before_x = -_ONE, -_ONE
        for step in range(n_steps):
            v, u = y * stretch_y + _HALF, x * stretch_x + _HALF
            row, column = np.int64(v), np.int64(u)
            down, across = v - np.float32(row), u - np.float32(column)
            row, column = row - oy, column - ox
            if row < 0 or column < 0 or row > height or column > width:
                break
            up, back = _ONE - down, _ONE - across
            a, b, c, d = up * back, up * across, down * back, down * across
            dy = a * field[row, column, 0] + b * field[row, column + 1, 0]
            dy += c * field[row + 1, column, 0] + d * field[row + 1, column + 1, 0]
            dx = a * field[row, column, 1] + b * field[row, column + 1, 1]
            dx += c * field[row + 1, column, 1] + d * field[row + 1, column + 1, 1]
            new_y = min(max(y + dy, _ZERO), last_y)
            new_x = min(max(x + dx, _ZERO), last_x)
            circling = before_y == new_y and before_x == new_x
            if circling and (n_steps - step) % 2 == 0:
                break  # the last of an even number of steps to come ends here again
            before_y, before_x, y, x = y, x, new_y, new_x
            if circling:
                break
        end_y = min(max(int(y) - oy, 0), height - 1)
        end_x = min(max(int(x) - ox, 0), width - 1)
        ends[start] = end_y * width + end_x


@jit
def _sinks(
    starts: NDArray[np.int64], ends: NDArray[np.int64], labels: NDArray[np.int32], count: int
) -> NDArray[np.int64]:
    """Pixel where most of each object 1..count ends, the first in order where several are."""
    crowd = np.zeros(len(ends), np.int32)
    for start in starts:
        crowd[ends[start]] += 1
    sinks = np.full(count + 1, np.int64(-1))
    for start in starts:
        k, end = labels[start], ends[start]
        best = sinks[k]
        if best < 0 or crowd[end] > crowd[best] or (crowd[end] == crowd[best] and end < best):
            sinks[k] = end
    return sinks
