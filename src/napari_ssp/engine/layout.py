"""Layout of windows: which the network sees, in which view, and how much each pixel counts."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine.tiling import tile_starts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_ssp.engine.blending import Map
    from napari_ssp.engine.tiling import Shape, Tile
    from napari_ssp.engine.tta import View

#: Bytes of the maps of shares that are kept; few windows lie differently among their neighbours.
_KEPT = 2**25


@dataclass(frozen=True)
class PlacedWindow:
    """One window in one view.

    Attributes
    ----------
    place : tuple of slice
        Where it lies in the array; beyond it on axes that are shorter than a window.
    starts : tuple of int
        Where it starts on the axes of the viewed array.
    view : View
        How the array is viewed.
    """

    place: Tile
    starts: tuple[int, ...]
    view: View


@dataclass(frozen=True)
class Layout:
    """Where the windows of one view lie, in the view and in the array.

    The array is viewed as a whole, as MEDIAR does: the last window, flush with the end, and the
    smaller half of a margin fall on other pixels in each view. So each view has windows of its own,
    and its own sum of weights. Places are those in the array, so all views fill one result.

    Attributes
    ----------
    shape : tuple of int
        Lengths of the array.
    window : tuple of int
        Lengths of a window, as the network sees it.
    overlap : float
        Share of a window that the next one covers, too.
    view : View
        How the array is viewed.
    """

    shape: Shape
    window: Shape
    overlap: float
    view: View

    def starts(self, axis: int) -> list[int]:
        """First pixels along an axis of the view."""
        length = self.shape[self.view.source_axis(axis, len(self.shape))]
        return tile_starts(max(length, self.window[axis]), self.window[axis], self.overlap)

    def windows(self, axis: int) -> list[tuple[slice, int]]:
        """Place along an axis of the array, and start in the view, of each window, in order."""
        dims = len(self.shape)
        seen = self.view.source_axis(axis, dims)
        length, window = self.shape[axis], self.window[seen]
        before = max(window - length, 0) // 2
        found = []
        for start in self.starts(seen):
            first = start - before
            if axis - dims in self.view.mirrored:
                first = length - first - window
            found.append((slice(first, first + window), start))
        return sorted(found, key=lambda item: item[0].start)

    def looks(self, begins: Tile, first: int) -> Iterator[PlacedWindow]:
        """Windows that begin in a region, in the order of their places; ``first`` runs slowest."""
        axes = self._beginning_in(begins)
        slowest = axes.pop(first)
        dims = len(self.shape)
        for chosen in product(slowest, *axes):
            windows = [*chosen[1 : first + 1], chosen[0], *chosen[first + 1 :]]
            seen = tuple(windows[self.view.source_axis(axis, dims)][1] for axis in range(dims))
            yield PlacedWindow(tuple(place for place, _ in windows), seen, self.view)

    def count(self, begins: Tile) -> int:
        """Count the windows that begin in a region."""
        return prod(len(windows) for windows in self._beginning_in(begins))

    def _beginning_in(self, begins: Tile) -> list[list[tuple[slice, int]]]:
        return [
            [found for found in self.windows(axis) if part.start <= found[0].start < part.stop]
            for axis, part in enumerate(begins)
        ]


def iterate_windows(layouts: Sequence[Layout], begins: Tile, first: int) -> Iterator[PlacedWindow]:
    """Windows of all views that begin in a region; their places never go back along ``first``."""

    def order(look: PlacedWindow) -> tuple[int, ...]:
        starts = [part.start for part in look.place]
        return (starts.pop(first), *starts)

    return heapq.merge(*(layout.looks(begins, first) for layout in layouts), key=order)


class BlendWeights:
    """How much of the mean each window contributes to its pixels.

    The shares of all windows of a view add up to one over the number of views, so a result is
    nothing but the sum of outputs times shares.

    Parameters
    ----------
    layouts : sequence of Layout
        One per view.
    importance : numpy.ndarray
        Float32 weights of a window's pixels, all above 0.
    device : torch.device
        Where shares are needed.
    """

    def __init__(self, layouts: Sequence[Layout], importance: Map, device: torch.device) -> None:
        self._importance = torch.from_numpy(importance).to(device)
        self._views = len(layouts)
        self._starts = {
            layout.view: [layout.starts(axis) for axis in range(importance.ndim)]
            for layout in layouts
        }
        self._kept: OrderedDict[tuple[tuple[int, ...], ...], torch.Tensor] = OrderedDict()

    def of(self, look: PlacedWindow) -> torch.Tensor:
        """Float32 shares of a window's pixels, as the view shows them."""
        neighbours = tuple(
            tuple(other - start for other in starts if abs(other - start) < length)
            for start, starts, length in zip(
                look.starts, self._starts[look.view], self._importance.shape, strict=True
            )
        )
        if neighbours not in self._kept:
            self._kept[neighbours] = self._compute(neighbours)
        self._kept.move_to_end(neighbours)
        while len(self._kept) > max(1, _KEPT // self._importance.nbytes):
            self._kept.popitem(last=False)
        return self._kept[neighbours]

    def _compute(self, neighbours: tuple[tuple[int, ...], ...]) -> torch.Tensor:
        total = torch.zeros_like(self._importance)
        for steps in product(*neighbours):
            here, there = [], []
            for step, length in zip(steps, total.shape, strict=True):
                here.append(slice(max(step, 0), length + min(step, 0)))
                there.append(slice(max(-step, 0), length - max(step, 0)))
            total[tuple(here)] += self._importance[tuple(there)]
        return self._importance / (total * self._views)
