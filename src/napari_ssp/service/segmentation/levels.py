"""Planes as grey levels: read in bands, so that a plane need not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine.normalise import GreyRange, GreyStatistics, grey_levels, unit_channels
from napari_ssp.engine.regions import BlockStatistics, ShownStatistics
from napari_ssp.engine.store import ArrayStore
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Values that are read at once.
_BAND = 2**24


@dataclass(frozen=True)
class Levels:
    """Grey levels of the region of some planes, and what they mean.

    Attributes
    ----------
    store : ArrayStore
        Uint8 (planes, Y, X, C).
    grey : GreyRange
        Of all the planes together, also outside of the region.
    is_little : bool
        Whether cells cover so little that the range is that of blocks which show more than noise.
    """

    store: ArrayStore
    grey: GreyRange
    is_little: bool = False

    def read(self, box: Tile, plane: int = 0) -> NDArray[np.float32]:
        """Float32 (3, Y, X) in [0, 1], as `normalise` makes it of whole planes."""
        return unit_channels(self.store.read((slice(plane, plane + 1), *box))[0], self.grey)


def read_levels(plan: SegmentPlan, planes: Sequence[tuple[int, int]]) -> Steps[Levels]:
    """Read the region of planes, normalised by all of the planes.

    Parameters
    ----------
    plan : SegmentPlan
        Image, channel and region.
    planes : sequence of (t, z)
        Planes that are normalised together.

    Yields
    ------
    Progress
        Between bands, where there are several.

    Returns
    -------
    Levels
    """
    samples = 3 if plan.image.rgb else 1
    bands = _Bands(plan, planes, samples)
    grey, is_little = yield from _find_range(bands)
    store = ArrayStore((len(planes), *plan.shape, samples), np.uint8)
    y0, y1, x0, x1 = plan.region
    for done, (k, rows) in enumerate(bands.places):
        if done:
            yield Progress("reading the image", bands.count + done, 2 * bands.count)
        top, bottom = max(rows[0], y0), min(rows[1], y1)
        if bottom <= top:
            continue
        pixels = bands.read(done, (top, bottom, x0, x1))
        place = (slice(k, k + 1), slice(top - y0, bottom - y0))
        store.write(place, grey_levels(pixels, grey)[None])
    return Levels(store, grey, is_little)


class _Bands:
    """Bands of planes; those of small planes are read once and kept."""

    def __init__(self, plan: SegmentPlan, planes: Sequence[tuple[int, int]], samples: int) -> None:
        self.plan, self._planes = plan, planes
        self._width = plan.image.sizes["x"]
        self.num_values = len(planes) * plan.image.sizes["y"] * self._width * samples
        self.places = [(k, rows) for k in range(len(planes)) for rows in _bands(plan, samples)]
        self.count = len(self.places)
        self._kept: dict[int, NDArray[Any]] = {}

    def read_whole(self, index: int) -> NDArray[Any]:
        """Read a band over the whole width of its plane."""
        if index in self._kept:
            return self._kept[index]
        k, (top, bottom) = self.places[index]
        box = (top, bottom, 0, self._width)
        pixels = self.plan.image.plane(*self._planes[k], self.plan.channel, box)
        if self.num_values <= _BAND:  # small enough not to be read twice
            self._kept[index] = pixels
        return pixels

    def read(self, index: int, box: tuple[int, int, int, int]) -> NDArray[Any]:
        """Read a part of a band, given in pixels of its plane."""
        k, (first, _) = self.places[index]
        top, bottom, left, right = box
        if index in self._kept:
            return self._kept[index][top - first : bottom - first, left:right]
        return self.plan.image.plane(*self._planes[k], self.plan.channel, box)


def _find_range(bands: _Bands) -> Steps[tuple[GreyRange, bool]]:
    """Range of whole planes, or of what they show; and whether that is little."""
    seen, blocks = GreyStatistics(bands.num_values), BlockStatistics()
    wanted = bands.plan.normalise
    for index in range(bands.count):
        if index:
            yield Progress("reading the image", index, 2 * bands.count)
        pixels = bands.read_whole(index)
        seen.add(pixels)
        if wanted != "image":
            blocks.add(pixels)
    grey = seen.result()
    if wanted == "image" or (wanted == "auto" and not blocks.few_shown):
        return grey, False
    shown = ShownStatistics(blocks, bands.num_values)
    for index in range(bands.count):
        if index:
            yield Progress("reading the image", index, 2 * bands.count)
        shown.add(bands.read_whole(index), index)
    regional, is_little = shown.result(grey)
    return (regional if is_little or wanted == "region" else grey), is_little


def _bands(plan: SegmentPlan, samples: int) -> Iterator[tuple[int, int]]:
    """First and last rows of bands over the whole plane."""
    height, width = plan.image.sizes["y"], plan.image.sizes["x"]
    step = max(1, _BAND // (width * samples))
    for top in range(0, height, step):
        yield top, min(top + step, height)
