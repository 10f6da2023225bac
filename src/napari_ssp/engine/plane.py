"""Predict a plane that need not fit into memory, at the magnification of the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from napari_ssp.engine.predict import predict_stream
from napari_ssp.engine.store import ArrayStore
from napari_ssp.engine.tiling import count_tiles, tile_starts
from napari_ssp.engine.tta import IDENTITY, View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.accumulate import Write
    from napari_ssp.engine.predict import Network, TileSettings
    from napari_ssp.engine.tiling import Tile
    from napari_ssp.progress import Steps

#: Reads a box of a plane, float32 (C, Y, X), given one slice per axis.
Read = Callable[["Tile"], "NDArray[np.float32]"]

#: Pixels across the band that is blended at a time; windows at its sides are computed twice.
STRIP = 8192
#: Side of the boxes in which stored planes are worked on.
BOX = 1024


class PlaneStore(Protocol):
    """Room for an output (C, Y, X), read and written box by box."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    def read(self, tile: Tile) -> NDArray[np.float32]:
        """Copy of a box."""

    def write(self, tile: Tile, block: NDArray[np.float32]) -> None:
        """Put a box at its place."""


@dataclass(frozen=True)
class PlaneSource:
    """A plane as the network wants it: mirrored, and wide enough for a window.

    Attributes
    ----------
    read_box : callable
        Reads a box of the plane at the network's magnification.
    plane : tuple of int
        Lengths of the plane at that magnification.
    window : tuple of int
        Lengths of a window.
    view : View
        How the plane is mirrored, as a whole.
    """

    read_box: Read
    plane: tuple[int, ...]
    window: tuple[int, ...]
    view: View = IDENTITY

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths with margins of zeros around a plane that is shorter than a window."""
        return tuple(max(n, w) for n, w in zip(self.plane, self.window, strict=True))

    def read(self, tile: Tile) -> torch.Tensor:
        """Float32 (C, Y, X) of one window."""
        box, margins = self.locate(tile)
        pixels = self.view.apply(self.read_box(box))
        return torch.from_numpy(np.pad(pixels, [(0, 0), *margins]))

    def locate(self, tile: Tile) -> tuple[Tile, list[tuple[int, int]]]:
        """Box of the plane that a tile shows, and the pixels of margin on its sides."""
        box, margins = [], []
        for axis, (part, n, full) in enumerate(zip(tile, self.plane, self.shape, strict=True)):
            before = (full - n) // 2
            start, stop = max(part.start - before, 0), min(part.stop - before, n)
            margins.append((start + before - part.start, part.stop - before - stop))
            mirrored = axis - len(tile) in self.view.mirrored
            box.append(slice(n - stop, n - start) if mirrored else slice(start, stop))
        return tuple(box), margins


def predict_plane(
    network: Network,
    source: PlaneSource,
    settings: TileSettings,
    views: Sequence[View],
    store: PlaneStore,
) -> Steps[None]:
    """Compute a network's output for a plane, as `predict_views` does, block by block.

    Windows lie where they lie in the whole plane, so nothing shows where blocks meet. Memory holds
    a band of a window's height and at most 8192 pixels.

    Parameters
    ----------
    network : callable
        Maps a float32 tensor (N, C, Y, X) to a tensor (N, C_out, Y, X).
    source : PlaneSource
        Input, not mirrored.
    settings : TileSettings
        Window, overlap, batch, device and blending.
    views : sequence of View
        What to average.
    store : PlaneStore
        (C_out, Y, X) at the network's magnification; receives the mean over the views.

    Yields
    ------
    Progress
        Stage "windows", counted over all views.

    Raises
    ------
    RuntimeError, MemoryError
        As `predict_stream`.
    """
    strips = [strip for view in views for strip in _strips(replace(source, view=view), settings)]
    totals = [count_tiles(s.shape, settings.window, settings.overlap) for s in strips]
    current, done = views[0], 0
    target: PlaneStore = store
    for strip, total in zip(strips, totals, strict=True):
        if strip.source.view is not current:
            _add(target, store)
            current, target = strip.source.view, ArrayStore(store.shape)
        for step in predict_stream(network, strip, settings, strip.writer(target)):
            yield replace(step, done=done + step.done, total=sum(totals))
        done += total
    _add(target, store, len(views))


@dataclass(frozen=True)
class _Strip:
    """The windows of a plane that reach into a range of rows or columns."""

    source: PlaneSource
    axis: int
    seen: slice
    core: slice

    @property
    def shape(self) -> tuple[int, ...]:
        lengths = list(self.source.shape)
        lengths[self.axis] = self.seen.stop - self.seen.start
        return tuple(lengths)

    def read(self, tile: Tile) -> torch.Tensor:
        return self.source.read(self._shifted(tile))

    def writer(self, store: PlaneStore) -> Write:
        """Write what lies in the core and in the plane, the right way round."""

        def write(tile: Tile, block: torch.Tensor) -> None:
            place = list(self._shifted(tile))
            part = place[self.axis]
            start, stop = max(part.start, self.core.start), min(part.stop, self.core.stop)
            if stop <= start:
                return
            place[self.axis] = slice(start, stop)
            box, margins = self.source.locate(tuple(place))
            if any(part.stop <= part.start for part in box):
                return
            kept = block.narrow(1 + self.axis, start - part.start, stop - start).cpu().numpy()
            inside = [slice(b, n - a) for (b, a), n in zip(margins, kept.shape[1:], strict=True)]
            store.write((slice(None), *box), self.source.view.undo(kept[(slice(None), *inside)]))

        return write

    def _shifted(self, tile: Tile) -> Tile:
        place = list(tile)
        first = self.seen.start
        place[self.axis] = slice(place[self.axis].start + first, place[self.axis].stop + first)
        return tuple(place)


def _strips(source: PlaneSource, settings: TileSettings) -> Iterator[_Strip]:
    """Cut the shorter axis, along which a band of windows would be too long for memory."""
    axis = source.shape.index(min(source.shape))
    length, window = source.shape[axis], settings.window[axis]
    starts = tile_starts(length, window, settings.overlap)
    for first in range(0, length, STRIP):
        core = slice(first, min(first + STRIP, length))
        reaching = [s for s in starts if s < core.stop and s + window > core.start]
        yield _Strip(source, axis, slice(reaching[0], reaching[-1] + window), core)


def _add(part: PlaneStore, total: PlaneStore, divisor: int = 1) -> None:
    """Add a part, unless it is the total itself, and divide by the number of parts at the end."""
    if part is total and divisor == 1:
        return
    for box in boxes(total.shape[1:]):
        place = (slice(None), *box)
        values = total.read(place)
        if part is not total:
            values += part.read(place)
        total.write(place, values / np.float32(divisor))


def boxes(shape: tuple[int, ...], side: int = BOX) -> Iterator[Tile]:
    """Boxes that cover a plane, row by row."""
    ranges = [[slice(a, min(a + side, n)) for a in range(0, n, side)] for n in shape]
    yield from product(*ranges)


def resample_box(
    read: Read, shape: tuple[int, ...], new_shape: tuple[int, ...], box: Tile
) -> NDArray[np.float32]:
    """Compute a box of a plane as `resample` brings it to another size.

    Parameters
    ----------
    read : callable
        Reads a box of the plane.
    shape, new_shape : tuple of int
        Lengths of the plane before and after.
    box : tuple of slice
        Box of the new plane.

    Returns
    -------
    numpy.ndarray
        Float32 (C, Y, X).
    """
    if tuple(shape) == tuple(new_shape):
        return np.ascontiguousarray(read(box), np.float32)
    (rows, down), (columns, across) = (
        _weights(n, m, part) for n, m, part in zip(shape, new_shape, box, strict=True)
    )
    result = down @ read((rows, columns)).astype(np.float64) @ across.T
    return np.ascontiguousarray(result, np.float32)


def _weights(length: int, new_length: int, part: slice) -> tuple[slice, NDArray[np.float64]]:
    """Pixels that a range of new pixels is made of, and their weights: a triangle around each."""
    scale = length / new_length
    reach = max(scale, 1.0)
    centres = (np.arange(part.start, part.stop) + 0.5) * scale
    first = max(int(np.floor(centres[0] - reach)), 0)
    last = min(int(np.ceil(centres[-1] + reach)), length)
    distances = np.abs(np.arange(first, last) + 0.5 - centres[:, None])
    weights = np.maximum(1.0 - distances / reach, 0.0)
    return slice(first, last), weights / weights.sum(axis=1, keepdims=True)
