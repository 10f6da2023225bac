"""Conversion of napari's image layers to images: axes, voxel size, what is on display."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import layer_attributes
from napari_ssp.service import Display
from napari_ssp.service.structures.plan import enough_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from napari.layers import Image, Layer

    from napari_ssp.registry import ModelCard


def layer_axes(layer: Layer) -> str:
    """Axes of a layer's dimensions, colours left out: one letter of "tczyx" each.

    Raises
    ------
    ValueError
        When its axis labels leave open what they are; as `io.layer_attributes.layer_axes`.
    """
    return layer_attributes.layer_axes(layer.axis_labels, layer.name)


def layer_image(layer: Layer) -> MicroscopyImage:
    """Image of a layer, with its place; pixels are not read, a pyramid gives its full level.

    Parameters
    ----------
    layer : napari.layers.Image or Labels
        Grey, RGB or labels, any number of dimensions that :func:`layer_axes` can name.

    Raises
    ------
    TypeError, ValueError
        When the layer's array is no image, e.g. because it is empty.
    """
    axes, rgb = layer_axes(layer), bool(getattr(layer, "rgb", False))
    size = layer_attributes.layer_voxel_size(axes, layer.scale, layer.units)
    corner = layer.data_to_world(np.zeros(layer.ndim))
    place = layer_attributes.layer_place(axes, layer.scale, corner, size, layer.metadata)
    return MicroscopyImage(
        data=full_level(layer),
        axes=axes + "c" if rgb else axes,
        voxel_size=size,
        name=layer.name,
        rgb=rgb,
        warnings=layer_attributes.layer_warnings(size, layer.metadata),
        **place,
    )


def layer_scene(layer: Layer) -> str | None:
    """Which image of its file a layer shows; None where that is the only one, or it has no file."""
    return layer_attributes.layer_scene(layer.metadata)


def layer_file(layer: Layer) -> Path | None:
    """File that a layer was read from, or is saved to; None where it has none."""
    path = layer.metadata.get(layer_attributes.FILE_KEY) or layer.source.path
    return Path(path) if path else None


def full_level(layer: Any) -> Any:
    """Array of a layer; of a pyramid the largest."""
    return layer.data[0] if layer.multiscale else layer.data


def stack_image(layer: Image) -> MicroscopyImage:
    """Image of a layer as :func:`layer_image`, but with a voxel size only if z has one too."""
    image = layer_image(layer)
    i = image.axes.find("z")
    if i < 0 or layer_attributes.micrometre_step(float(layer.scale[i]), layer.units[i]):
        return image
    return replace(image, voxel_size=None)


def channel_choices(image: MicroscopyImage) -> list[tuple[str, int | None]]:
    """Channels of an image by name; none where there is nothing to choose from."""
    if image.rgb:
        return [("All colours", None)]
    if image.num_channels == 1:
        return []
    names = image.channel_names or [f"Channel {i + 1}" for i in range(image.num_channels)]
    return [(name, index) for index, name in enumerate(names)]


def is_stack(layer: Image) -> bool:
    """Whether a layer is a z-stack of intensities, as far as its axes can be told."""
    try:
        return "z" in layer_axes(layer) and not layer.rgb
    except ValueError:
        return False


def check_planes(image: MicroscopyImage, card: ModelCard) -> None:
    """Refuse a layer's image that is no stack, with a ValueError that says what to do in napari."""
    if "z" not in image.axes and not image.rgb:
        raise ValueError(
            f"'{image.name}' has no z axis (its axes are {', '.join(image.axes)}), and structures "
            "are predicted from a z-stack. Choose a layer with planes; if one of its axes is z, "
            "say so in layer.axis_labels." + enough_for(card)
        )


def current_plane(layer: Image, viewer: napari.Viewer) -> tuple[int, int]:
    """Position (t, z) on display; 0 where the layer has no such axis.

    Raises
    ------
    ValueError
        In 3D display, or when the sliders stand beside the layer.
    """
    if viewer.dims.ndisplay == 3:
        raise ValueError(
            "The viewer shows 3D, so there is no current plane. Switch to 2D, or choose all planes."
        )
    found = _positions(layer, viewer, "tz", "Move the slider, or choose all planes.")
    return found["t"], found["z"]


def current_time(layer: Image, viewer: napari.Viewer) -> int:
    """Time point on display; 0 where the layer has no time.

    Raises
    ------
    ValueError
        When the slider stands beside the layer.
    """
    return _positions(layer, viewer, "t", "Move the slider.")["t"]


def plane_obstacle(layer: Layer | None, viewer: napari.Viewer, noun: str) -> str | None:
    """Why something that needs a plane on display is not possible, or None when it is."""
    if viewer.dims.ndisplay == 3:
        return f"{noun} needs the 2D display; the viewer shows 3D."
    if layer is None:
        return None
    axes = layer_axes(layer)
    shown = {axes[i] for i in _displayed(layer, viewer)}
    if shown != {"y", "x"}:
        return f"{noun} needs y and x on display; change the order of the axes."
    return None


def region_obstacle(layer: Image | None, viewer: napari.Viewer) -> str | None:
    """Why "visible region only" is not possible, or None when it is."""
    return plane_obstacle(layer, viewer, "The visible region")


def visible_region(layer: Image, viewer: napari.Viewer) -> tuple[int, int, int, int]:
    """(y0, y1, x0, x1) in pixels of the full level that the canvas shows; the rest is cut off.

    Raises
    ------
    ValueError
        When the layer is out of view or the display does not show y and x.
    """
    obstacle = region_obstacle(layer, viewer)
    if obstacle is not None:
        raise ValueError(obstacle)
    axes = layer_axes(layer)
    shape = full_level(layer).shape
    factors = layer.downsample_factors[layer.data_level] if layer.multiscale else np.ones(len(axes))
    bounds: list[int] = []
    for letter in "yx":
        i = axes.index(letter)
        low, high = layer.corner_pixels[:, i]
        if low >= high and shape[i] > 1:
            raise ValueError(f"'{layer.name}' is out of view. Move it into view, or show it again.")
        start = max(int(np.floor(low * factors[i])), 0)
        bounds += [start, min(int(np.ceil((high + 1) * factors[i])), shape[i])]
    return bounds[0], bounds[1], bounds[2], bounds[3]


def display_in_result(
    layer: Image, viewer: napari.Viewer, axes: str, sizes: Sequence[int], origin: Sequence[int]
) -> Display | None:
    """Find what of a layer's result the canvas shows; None where that is no part of one plane.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer that the result was made from.
    viewer : napari.Viewer
        What shows it.
    axes, sizes, origin
        Axes of the result, their lengths, and (t, z, y, x) of its first pixel in the full image.
    """
    lengths = {**dict.fromkeys("tzyx", 1), **dict(zip(axes, sizes, strict=True))}
    t0, z0, top, left = in_layer(layer, origin)
    try:
        t, z = current_plane(layer, viewer)
        y0, y1, x0, x1 = visible_region(layer, viewer)
    except ValueError:  # 3D display, or out of view
        return None
    t, z = t - t0, z - z0
    rows = max(y0 - top, 0), min(y1 - top, lengths["y"])
    columns = max(x0 - left, 0), min(x1 - left, lengths["x"])
    seen = rows[0] < rows[1] and columns[0] < columns[1]
    if not (seen and 0 <= t < lengths["t"] and 0 <= z < lengths["z"]):
        return None
    return Display(t * lengths["z"] + z, (*rows, *columns))


def in_layer(layer: Layer, origin: Sequence[int]) -> tuple[int, ...]:
    """Place (t, z, y, x) of the full image in pixels of a layer, which may show a part of it."""
    firsts = layer_image(layer).origin
    return tuple(int(n) - first for n, first in zip(origin, firsts, strict=True))


def _positions(layer: Image, viewer: napari.Viewer, letters: str, remedy: str) -> dict[str, int]:
    """Where the sliders of some axes stand, in the layer's pixels; 0 where it has no such axis."""
    position = np.round(layer.world_to_data(viewer.dims.point)).astype(int)
    shape = full_level(layer).shape
    found = dict.fromkeys(letters, 0)
    for letter, index, length in zip(layer_axes(layer), position, shape, strict=False):
        if letter not in found:
            continue
        if not 0 <= index < length:
            raise ValueError(
                f"'{layer.name}' is not on display: the slider stands at {letter}={index}, the "
                f"layer has {letter}=0 to {length - 1}. {remedy}"
            )
        found[letter] = int(index)
    return found


def _displayed(layer: Layer, viewer: napari.Viewer) -> list[int]:
    """Dimensions of the layer that the viewer displays; layers share the last dimensions."""
    offset = viewer.dims.ndim - layer.ndim
    return [d - offset for d in viewer.dims.displayed if d >= offset]
