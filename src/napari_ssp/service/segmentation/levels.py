"""Planes as grey levels: read in bands, so that a plane need not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.engine.normalise import GreyRange, GreyStatistics, grey_levels, unit_channels
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
    """

    store: ArrayStore
    grey: GreyRange

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
    image, (y0, y1, x0, x1) = plan.image, plan.region
    samples = 3 if image.rgb else 1
    num_values = len(planes) * image.sizes["y"] * image.sizes["x"] * samples
    bands = [(k, rows) for k in range(len(planes)) for rows in _bands(plan, samples)]
    seen, kept = GreyStatistics(num_values), []
    for done, (k, (top, bottom)) in enumerate(bands):
        if done:
            yield Progress("reading the image", done, 2 * len(bands))
        pixels = image.plane(*planes[k], plan.channel, (top, bottom, 0, image.sizes["x"]))
        seen.add(pixels)
        if num_values <= _BAND:  # small enough not to be read twice
            kept.append(pixels)
    levels = Levels(ArrayStore((len(planes), *plan.shape, samples), np.uint8), seen.result())
    for done, (k, rows) in enumerate(bands):
        if done:
            yield Progress("reading the image", len(bands) + done, 2 * len(bands))
        top, bottom = max(rows[0], y0), min(rows[1], y1)
        if bottom <= top:
            continue
        if kept:
            pixels = kept[done][top - rows[0] : bottom - rows[0], x0:x1]
        else:
            pixels = image.plane(*planes[k], plan.channel, (top, bottom, x0, x1))
        place = (slice(k, k + 1), slice(top - y0, bottom - y0))
        levels.store.write(place, grey_levels(pixels, levels.grey)[None])
    return levels


def _bands(plan: SegmentPlan, samples: int) -> Iterator[tuple[int, int]]:
    """First and last rows of bands over the whole plane."""
    height, width = plan.image.sizes["y"], plan.image.sizes["x"]
    step = max(1, _BAND // (width * samples))
    for top in range(0, height, step):
        yield top, min(top + step, height)
