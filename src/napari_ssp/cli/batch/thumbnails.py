"""Small pictures of images for a report, with the outlines of their objects."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
from skimage.segmentation import find_boundaries

from napari_ssp.place import cut_like

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.image import MicroscopyImage

#: Pixels along the longer side at most.
_SIDE = 160
_OUTLINE = (255, 200, 0)
#: Percentiles that become black and white.
_RANGE = (1.0, 99.8)
#: Values beyond are none of a microscope's; differences of these are finite.
_LARGEST = 1e307


def draw_thumbnail(
    image: MicroscopyImage, channel: int | None = None, labels: MicroscopyImage | None = None
) -> bytes:
    """Draw the middle plane of an image as a PNG.

    Parameters
    ----------
    image : MicroscopyImage
        The full image, also where the labels are of a part of it.
    channel : int or None
        Which one is shown; None is the first.
    labels : MicroscopyImage or None
        Label image of it, whose objects are outlined.
    """
    if labels is not None:
        image = cut_like(image, labels)
    picture = _stretch(_sample(_smallest_level(image), channel or 0))
    if labels is not None:
        objects = _sample(_smallest_level(labels), 0)
        rows, columns = (np.linspace(0, n - 1, m).astype(int) for n, m in _pairs(objects, picture))
        seen = objects[np.ix_(rows, columns)]
        picture[find_boundaries(seen, mode="inner")] = _OUTLINE  # type: ignore[no-untyped-call]
    return bytes(imagecodecs.png_encode(picture))


def _pairs(objects: NDArray[Any], picture: NDArray[Any]) -> zip[tuple[int, int]]:
    """Lengths of both along y and x: pyramids of an image and its labels may differ."""
    return zip(objects.shape, picture.shape[:2], strict=True)


def _smallest_level(image: MicroscopyImage) -> MicroscopyImage:
    """Level of a pyramid with as many pixels as are drawn, or a little more."""
    y, x = image.axes.index("y"), image.axes.index("x")
    fit = [level for level in image.levels if max(level.shape[y], level.shape[x]) >= _SIDE]
    return replace(image, data=fit[-1], levels=()) if fit else image


def _sample(image: MicroscopyImage, channel: int) -> NDArray[Any]:
    """Every so many pixels of the middle plane: (Y, X), or (Y, X, 3) for colours."""
    step = ceil(max(image.sizes["y"], image.sizes["x"]) / _SIDE)
    middle = {a: image.sizes[a] // 2 for a in "tz" if a in image.axes}
    place: dict[str, Any] = {**middle, "y": slice(None, None, step), "x": slice(None, None, step)}
    place["c"] = slice(0, 3) if image.rgb else channel
    plane = np.asarray(image.data[tuple(place[a] for a in image.axes)])
    return plane if image.axes.index("y") < image.axes.index("x") else plane.swapaxes(0, 1)


def _stretch(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values or colours as (Y, X, 3) of 8 bits; colours of 8 bits stay as they are."""
    if plane.ndim == 3 and plane.dtype == np.uint8:
        return np.array(plane)
    values = np.clip(np.nan_to_num(plane.astype(np.float64)), -_LARGEST, _LARGEST)
    low, high = np.percentile(values, _RANGE)
    grey = np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255
    return np.broadcast_to(grey.reshape(*grey.shape[:2], -1), (*grey.shape[:2], 3)).astype(np.uint8)
