"""Planes as grey levels: read in bands, so that a plane need not fit into memory."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine.normalise import GreyRange, GreyStatistics, grey_levels, unit_channels
from napari_ssp.engine.regions import BlockStatistics, ShownStatistics
from napari_ssp.engine.store import ArrayStore
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Values that are read at once.
_BAND = 2**24
#: Pixels of a plane whose range is taken from a smaller level, and those that this has at least.
_LARGE, _ENOUGH = 2**26, 2**24


@dataclass(frozen=True)
class Levels:
    """Grey levels of the region of some planes, and what they mean.

    Attributes
    ----------
    store : ArrayStore
        Uint8 (planes, Y, X, C).
    ranges : tuple of GreyRange
        Of all the planes together, also outside of the region: one for grey or colours, or one for
        each of several channels.
    is_little : bool
        Whether cells, or nuclei, cover so little that their range is that of blocks which show more
        than noise.
    """

    store: ArrayStore
    ranges: tuple[GreyRange, ...]
    is_little: bool = False

    def read(self, box: Tile, plane: int = 0) -> NDArray[np.float32]:
        """Float32 (3, Y, X) in [0, 1], as `normalise` makes it of whole planes."""
        return unit_channels(self.store.read((slice(plane, plane + 1), *box))[0], *self.ranges)


def find_ranges(
    plan: SegmentPlan, planes: Sequence[tuple[int, int]]
) -> Steps[tuple[tuple[GreyRange, ...], bool]]:
    """Find the grey range of each channel; and whether cells, or nuclei, cover little.

    Parameters and progress are those of `read_levels`.
    """
    ranges, is_little, count = [], False, len(plan.channels)
    for k, channel in enumerate(plan.channels):
        steps = _find_range(_ranged_bands(plan, channel, planes), plan.normalise)
        grey, little = yield from _counted(steps, k, count)
        ranges.append(grey)
        is_little |= little
    return tuple(ranges), is_little


def read_levels(plan: SegmentPlan, planes: Sequence[tuple[int, int]]) -> Steps[Levels]:
    """Read the region of planes, normalised by all of the planes.

    Each channel has a range of its own; colours share one. Of a plane of more than 64 megapixels
    that has a pyramid, the grey range is that of a level with at least 16: a region of a slide need
    not wait until all of it was read.

    Parameters
    ----------
    plan : SegmentPlan
        Image, channels and region.
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
    store = ArrayStore((len(planes), *plan.shape, plan.num_samples), np.uint8)
    ranges, is_little, count = [], False, len(plan.channels)
    for k, channel in enumerate(plan.channels):
        steps = _read_channel(plan, channel, planes, _Samples(store, k, count))
        grey, little = yield from _counted(steps, k, count)
        ranges.append(grey)
        is_little |= little
    return Levels(store, tuple(ranges), is_little)


def read_part(
    plan: SegmentPlan, plane: tuple[int, int], ranges: Sequence[GreyRange], part: Tile
) -> Levels:
    """Grey levels of a part of the region of one plane, whose ranges were found before."""
    rows, columns = part
    top, _, left, _ = plan.region
    box = (rows.start + top, rows.stop + top, columns.start + left, columns.stop + left)
    samples = [
        grey_levels(plan.image.plane(*plane, channel, box), grey)
        for channel, grey in zip(plan.channels, ranges, strict=True)
    ]
    levels = np.concatenate(samples, axis=-1)[None]
    store = ArrayStore(levels.shape, np.uint8)
    store.write((slice(None),), levels)
    return Levels(store, tuple(ranges))


@dataclass(frozen=True)
class _Samples:
    """Those of a channel among ``count``, in a store of levels."""

    store: ArrayStore
    index: int
    count: int

    def write(self, plane: int, rows: slice, levels: NDArray[np.uint8]) -> None:
        """Put levels (Y, X, C) at their place."""
        step = self.store.shape[-1] // self.count
        samples = slice(self.index * step, (self.index + 1) * step)
        self.store.write((slice(plane, plane + 1), rows, slice(None), samples), levels[None])


def _read_channel(
    plan: SegmentPlan, channel: int | None, planes: Sequence[tuple[int, int]], samples: _Samples
) -> Steps[tuple[GreyRange, bool]]:
    """Read one channel, or the colours; its range, and whether it shows little."""
    ranged, is_same = _ranged_bands(plan, channel, planes), _range_image(plan.image) is plan.image
    bands = ranged if is_same else _Bands(plan.image, channel, planes)
    grey, is_little = yield from _find_range(ranged, plan.normalise)
    y0, y1, x0, x1 = plan.region
    for done, (k, rows) in enumerate(bands.places):
        if done:
            yield Progress("reading the image", bands.count + done, 2 * bands.count)
        top, bottom = max(rows[0], y0), min(rows[1], y1)
        if bottom <= top:
            continue
        pixels = bands.read(done, (top, bottom, x0, x1))
        samples.write(k, slice(top - y0, bottom - y0), grey_levels(pixels, grey))
    return grey, is_little


def _counted(
    steps: Steps[tuple[GreyRange, bool]], index: int, count: int
) -> Steps[tuple[GreyRange, bool]]:
    """Count bands over all channels."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                found: tuple[GreyRange, bool] = stop.value
                return found
            yield replace(step, done=index * step.total + step.done, total=count * step.total)


class _Bands:
    """Bands of planes; those of small planes are read once and kept."""

    def __init__(
        self, image: MicroscopyImage, channel: int | None, planes: Sequence[tuple[int, int]]
    ) -> None:
        self._image, self._channel, self._planes = image, channel, planes
        samples = 3 if image.rgb else 1
        height, self._width = image.sizes["y"], image.sizes["x"]
        self.num_values = len(planes) * height * self._width * samples
        step = max(1, _BAND // (self._width * samples))
        rows = [(top, min(top + step, height)) for top in range(0, height, step)]
        self.places = [(k, band) for k in range(len(planes)) for band in rows]
        self.count = len(self.places)
        self._kept: dict[int, NDArray[Any]] = {}

    def read_whole(self, index: int) -> NDArray[Any]:
        """Read a band over the whole width of its plane."""
        if index in self._kept:
            return self._kept[index]
        k, (top, bottom) = self.places[index]
        box = (top, bottom, 0, self._width)
        pixels = self._image.plane(*self._planes[k], self._channel, box)
        if self.num_values <= _BAND:  # small enough not to be read twice
            self._kept[index] = pixels
        return pixels

    def read(self, index: int, box: tuple[int, int, int, int]) -> NDArray[Any]:
        """Read a part of a band, given in pixels of its plane."""
        k, (first, _) = self.places[index]
        top, bottom, left, right = box
        if index in self._kept:
            return self._kept[index][top - first : bottom - first, left:right]
        return self._image.plane(*self._planes[k], self._channel, box)


def _ranged_bands(
    plan: SegmentPlan, channel: int | None, planes: Sequence[tuple[int, int]]
) -> _Bands:
    """Bands that the grey range of a channel is found in."""
    return _Bands(_range_image(plan.image), channel, planes)


def _range_image(image: MicroscopyImage) -> MicroscopyImage:
    """Image, or level of it, that the grey range is found in."""
    y, x = (image.axes.index(letter) for letter in "yx")
    fitting = [level for level in image.levels if level.shape[y] * level.shape[x] >= _ENOUGH]
    if not fitting or image.sizes["y"] * image.sizes["x"] <= _LARGE:
        return image
    return replace(image, data=fitting[-1], levels=())


def _find_range(bands: _Bands, wanted: str) -> Steps[tuple[GreyRange, bool]]:
    """Range of whole planes, or of what they show; and whether that is little."""
    seen, blocks = GreyStatistics(bands.num_values), BlockStatistics()
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
