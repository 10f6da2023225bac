"""Placement of a result in the viewer, and what its layers are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.transforms import CompositeAffine

from napari_ssp.widgets.layers.images import in_layer, layer_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image, Layer
    from numpy.typing import NDArray

    from napari_ssp.widgets.layers.contrast import Contrast


@dataclass(frozen=True, eq=False)
class Part:
    """One layer of a result.

    Attributes
    ----------
    name : str
        What it shows; follows the image's name.
    data : numpy.ndarray
        Axes as those of the result, then possibly colours.
    add : str
        Method of the viewer that adds it.
    look : dict
        Attributes of a new layer; a later run leaves them.
    contrast : Contrast or None
        Renewed by every run, unless the user has changed it.
    levels : tuple
        Smaller levels, where it is a pyramid.
    """

    name: str
    data: NDArray[Any]
    add: str = "add_image"
    look: dict[str, Any] = field(default_factory=dict)
    contrast: Contrast | None = None
    levels: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Placed:
    """A result made ready for layers, by the worker.

    Attributes
    ----------
    axes : str
        Axes of the arrays, a part of "tzyx".
    origin : tuple of int
        (t, z, y, x) of the first pixel in the full image.
    channel : int
        Channel that was read.
    provenance : dict
        For the layers' metadata.
    """

    axes: str
    origin: tuple[int, int, int, int]
    channel: int
    provenance: dict[str, Any]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Layers to show, the topmost last."""
        raise NotImplementedError


def placement(placed: Placed, layer: Image) -> dict[str, Any]:
    """Layer attributes that put a result on its image: scale, translate, units, axis labels.

    Parameters
    ----------
    placed : Placed
        The result.
    layer : napari.layers.Image
        The layer that it was made from; its rotation, shear and affine are taken over too.
    """
    axes = layer_axes(layer)
    kept = _kept(axes)
    own = own_transform(layer).set_slice(kept)
    firsts = in_layer(layer, placed.origin)
    start = {**dict(zip("tzyx", firsts, strict=True)), "c": placed.channel}
    return {
        "scale": own.scale,
        "translate": own(np.array([start[axes[i]] for i in kept], float)),
        "rotate": own.rotate,
        "shear": own.shear,
        "affine": layer.affine.set_slice(kept),
        "units": tuple(layer.units[i] for i in kept),
        "axis_labels": tuple(layer.axis_labels[i] for i in kept),
    }


def own_transform(layer: Layer) -> CompositeAffine:
    """Where pixels lie by a layer's scale, shear, rotation and translation, before its affine."""
    return CompositeAffine(
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        ndim=layer.ndim,
    )


def in_layer_axes(array: NDArray[Any], axes: str, layer: Image) -> NDArray[Any]:
    """Bring a result's array into the layer's axes; those it does not have become length 1.

    Parameters
    ----------
    array : numpy.ndarray
        Axes as ``axes``, then possibly colours.
    axes : str
        Axes of the result, a part of "tzyx".
    layer : napari.layers.Image
        The layer that it was made from.
    """
    wanted = kept_axes(layer_axes(layer))
    order = [axes.index(letter) for letter in wanted if letter in axes]
    array = array.transpose(*order, *range(len(axes), array.ndim))
    return np.expand_dims(array, [i for i, letter in enumerate(wanted) if letter not in axes])


def kept_axes(axes: str) -> str:
    """Give all axes but a leading one of channels: without it, a result shows on every channel."""
    return axes.removeprefix("c")


def _kept(axes: str) -> list[int]:
    return list(range(len(axes) - len(kept_axes(axes)), len(axes)))


def move_layer(layer: Any, place: Mapping[str, Any]) -> None:
    """Put a layer at a place: attributes as of `placement` or `place_of`."""
    for name, value in place.items():
        if _differ(getattr(layer, name), value):  # each change draws the layer again
            setattr(layer, name, value)


def _differ(one: Any, other: Any) -> bool:
    """Tell whether two places differ: numbers, names, or affine transforms."""
    one, other = (getattr(each, "affine_matrix", each) for each in (one, other))
    if isinstance(one, tuple):
        return bool(one != other)
    return not np.array_equal(one, other)
