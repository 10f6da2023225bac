"""From a segmentation to layer data that lies where it belongs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.transforms import CompositeAffine

from napari_ssp.widgets.flow_colours import flow_colours
from napari_ssp.widgets.layers import layer_axes

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_ssp.service import Segmentation
    from napari_ssp.widgets.choices import SegmentChoices


@dataclass(frozen=True, eq=False)
class Prepared:
    """A segmentation made ready for layers, by the worker.

    Attributes
    ----------
    labels : numpy.ndarray
        Uint32, axes as ``axes``.
    flows : numpy.ndarray or None
        Uint8 colours, axes as ``axes`` and (3,); None when not wanted.
    probability : numpy.ndarray or None
        Float32; None when not wanted.
    axes : str
        Axes of the arrays.
    origin : tuple of int
        (t, z, y, x) of the first pixel.
    channel : int
        Channel that was segmented.
    num_objects : int
        How many objects there are.
    provenance : dict
        For the layers' metadata.
    """

    labels: NDArray[np.uint32]
    flows: NDArray[np.uint8] | None
    probability: NDArray[np.float32] | None
    axes: str
    origin: tuple[int, int, int, int]
    channel: int
    num_objects: int
    provenance: dict[str, Any]


def prepare(result: Segmentation, choices: SegmentChoices) -> Prepared:
    """Make arrays for the layers that are wanted; slow for large images, so not for the GUI."""
    # napari imports it for the first labels layer; in the GUI thread that would be felt.
    with suppress(ImportError):
        import_module("pandas")
    return Prepared(
        labels=result.labels,
        flows=flow_colours(result.flows) if choices.keep_flows else None,
        probability=result.cell_probability if choices.keep_probability else None,
        axes=result.axes,
        origin=result.origin,
        channel=choices.channel or 0,
        num_objects=result.num_objects,
        provenance=result.provenance,
    )


def placement(prepared: Prepared, layer: Image) -> dict[str, Any]:
    """Layer attributes that put a result on its image: scale, translate, units, axis labels.

    Parameters
    ----------
    prepared : Prepared
        The result.
    layer : napari.layers.Image
        The layer that was segmented; its rotation, shear and affine are taken over too.
    """
    axes = layer_axes(layer)
    kept = _kept(axes)
    own = CompositeAffine(
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        ndim=layer.ndim,
    ).set_slice(kept)
    start = {**dict(zip("tzyx", prepared.origin, strict=True)), "c": prepared.channel}
    return {
        "scale": own.scale,
        "translate": own(np.array([start[axes[i]] for i in kept], float)),
        "rotate": own.rotate,
        "shear": own.shear,
        "affine": layer.affine.set_slice(kept),
        "units": tuple(layer.units[i] for i in kept),
        "axis_labels": tuple(layer.axis_labels[i] for i in kept),
    }


def in_layer_axes(array: NDArray[Any], axes: str, layer: Image) -> NDArray[Any]:
    """Bring a result's array into the layer's axes; those it does not have become length 1.

    Parameters
    ----------
    array : numpy.ndarray
        Axes as ``axes``, then possibly colours.
    axes : str
        Axes of the result, a part of "tzyx".
    layer : napari.layers.Image
        The layer that was segmented.
    """
    wanted = "".join(layer_axes(layer)[i] for i in _kept(layer_axes(layer)))
    order = [axes.index(letter) for letter in wanted if letter in axes]
    array = array.transpose(*order, *range(len(axes), array.ndim))
    return np.expand_dims(array, [i for i, letter in enumerate(wanted) if letter not in axes])


def _kept(axes: str) -> list[int]:
    """All but a leading channel axis: without it, the labels show on every channel."""
    return list(range(1 if axes.startswith("c") else 0, len(axes)))
