"""Layers that lie pixel on pixel: what labels cover of an image, and labels of the same place."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io.lazy import as_dask
from napari_ssp.io.mapped import Stacked
from napari_ssp.place import cut, is_part
from napari_ssp.widgets.layers.images import full_level, layer_axes, layer_image
from napari_ssp.widgets.layers.placement import own_transform

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from numpy.typing import ArrayLike, NDArray

    from napari_ssp.image import MicroscopyImage

# Pixels by which two layers may miss each other: rounding, but no shift that could be seen.
_SLACK = 0.1


def place_of(layer: Labels, start: ArrayLike | None = None) -> dict[str, Any]:
    """Attributes that put another layer at the place of this one, or of a pixel of it."""
    names = ("scale", "rotate", "shear", "affine", "units", "axis_labels")
    corner = own_transform(layer)(np.zeros(layer.ndim) if start is None else start)
    return {"translate": corner} | {name: getattr(layer, name) for name in names}


def image_under(layer: Image | Labels, labels: Image | Labels) -> MicroscopyImage:
    """Part of an image that labels, or another image, cover.

    Parameters
    ----------
    layer : napari.layers.Image or Labels
        Intensities, or labels of nuclei; may be larger than the labels, e.g. when only a region was
        segmented.
    labels : napari.layers.Labels or Image
        Labels of the image, or of a region or plane of it.

    Raises
    ------
    ValueError
        When they do not lie pixel on pixel, or the labels reach beyond the image.
    """
    image = layer_image(layer)
    start = _start(labels, layer)
    lengths = dict(zip(layer_axes(labels), full_level(labels).shape, strict=True))
    for letter, first in start.items():
        if first < 0 or first + lengths[letter] > image.sizes[letter]:
            raise ValueError(
                f"'{labels.name}' reaches beyond '{layer.name}' along {letter}: it covers "
                f"{first} to {first + lengths[letter]} of {image.sizes[letter]} pixels. Choose "
                "layers of the same image."
            )
    if all(lengths[letter] == image.sizes[letter] for letter in start):
        return image
    return cut(image, start, lengths)


def lies_on(labels: Labels, image: Image) -> bool:
    """Whether labels are those of an image, or of a part of it, as far as places tell."""
    try:
        image_under(image, labels)
    except (ValueError, TypeError):
        return False
    return True


def side_by_side(first: Image, second: Image) -> MicroscopyImage:
    """Two image layers that lie pixel on pixel as one image of two channels; reads no pixels.

    Parameters
    ----------
    first, second : napari.layers.Image
        A channel each; the second one may be larger. The image has the place of the first one.

    Raises
    ------
    ValueError
        As `image_under`.
    """
    image, other = layer_image(first), image_under(second, first)
    order = [other.axes.index(letter) for letter in image.axes]
    pixels = Stacked([image.data, other.data.transpose(order)])
    names = (first.name, second.name)
    return replace(image, data=as_dask(pixels), axes=f"c{image.axes}", channel_names=names)


def same_part(first: Labels, second: Labels) -> tuple[MicroscopyImage, MicroscopyImage]:
    """Images of two labels layers, of the pixels that both cover; reads none of them.

    Parameters
    ----------
    first, second : napari.layers.Labels
        Of the same pixels; or one of a region or plane of the other, which is cut to that.

    Raises
    ------
    ValueError
        When they differ in scale or place, or in shape and the smaller is not known to be a part.
    """
    images = layer_image(first), layer_image(second)
    if _plain(first) == _plain(second):
        if any(_start(first, second).values()):
            raise ValueError(
                f"'{first.name}' and '{second.name}' have the same size but lie at different "
                "places. Give them the same translation, or choose two label layers of the same "
                "region."
            )
        return images
    is_first = prod(images[0].shape) < prod(images[1].shape)
    if not is_part(images[0 if is_first else 1]):
        raise ValueError(
            f"'{first.name}' is {_size(first)} pixels, but '{second.name}' is {_size(second)}. "
            "Choose two label layers of the same image and region."
        )
    if is_first:
        return images[0], image_under(second, first)
    return image_under(first, second), images[1]


def _plain(layer: Labels) -> list[tuple[str, int]]:
    """Axes and their lengths, but for those of length 1 other than y and x."""
    pairs = zip(layer_axes(layer), full_level(layer).shape, strict=True)
    return [(letter, n) for letter, n in pairs if letter in "yx" or n > 1]


def _start(inner: Labels, outer: Any) -> dict[str, int]:
    """First pixel of the outer layer that the inner one covers, along the axes of both."""
    axes, outer_axes = layer_axes(inner), layer_axes(outer)
    lengths = np.array(full_level(inner).shape)
    _check_axes(inner, outer)
    corners = [inner.data_to_world(corner) for corner in (np.zeros(len(axes)), lengths - 1)]
    low, high = (np.asarray(outer.world_to_data(_padded(c, outer.ndim))) for c in corners)
    found = {}
    for i, letter in enumerate(axes):
        if letter not in outer_axes or letter == "c":
            continue
        k = outer_axes.index(letter)
        first = round(float(low[k]))
        if max(abs(low[k] - first), abs(high[k] - first - lengths[i] + 1)) > _SLACK:
            raise ValueError(
                f"'{inner.name}' and '{outer.name}' do not lie pixel on pixel along {letter}. "
                "Choose layers of the same image, and give them the same scale and translation."
            )
        found[letter] = first
    return found


def _check_axes(inner: Labels, outer: Any) -> None:
    """Refuse an axis of several pixels, other than channels, that only one of two layers has."""
    pairs = ((inner, layer_axes(outer)), (outer, layer_axes(inner)))
    for layer, known in pairs:
        for letter, n in zip(layer_axes(layer), full_level(layer).shape, strict=False):
            if letter not in known and letter != "c" and n > 1:
                raise ValueError(
                    f"'{layer.name}' has {n} positions along {letter}, and "
                    f"'{(outer if layer is inner else inner).name}' has no such axis. Choose "
                    "layers of the same image, or take one plane out of the longer one."
                )


def _padded(point: Any, ndim: int) -> NDArray[np.float64]:
    """Point in the world of a layer with more or fewer leading axes."""
    values = np.asarray(point, float)
    return np.concatenate([np.zeros(max(ndim - len(values), 0)), values])[-ndim:]


def _size(layer: Labels) -> str:
    return " × ".join(str(n) for n in full_level(layer).shape[::-1])
