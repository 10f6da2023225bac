"""Size of an object that the user has drawn in a Shapes layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes

from napari_ssp.widgets.layers.images import layer_axes

if TYPE_CHECKING:
    import napari
    from napari.layers import Image
    from numpy.typing import NDArray

_HOW = (
    "In a Shapes layer, draw a line across a cell, or an ellipse or rectangle around it, and press "
    "'From shape' again."
)


def drawn_diameter(viewer: napari.Viewer, image: Image) -> float:
    """Diameter of what is drawn, in pixels of an image layer.

    The shapes that are selected count, or all of the layer: a line or path by its length, a
    rectangle by the ellipse in it, the others by their area. Of several the median is taken.

    Parameters
    ----------
    viewer : napari.Viewer
        With the Shapes layer: the selected one, or the topmost that is visible.
    image : napari.layers.Image
        Where the diameter is to be used.

    Raises
    ------
    ValueError
        When nothing is drawn.
    """
    layer = _shapes_layer(viewer)
    if layer is None or not len(layer.data):
        raise ValueError(f"Nothing is drawn yet. {_HOW}")
    chosen = sorted(layer.selected_data) or range(len(layer.data))
    kinds = layer.shape_type
    sizes = [_size(kinds[k], _in_pixels(layer, layer.data[k], image)) for k in chosen]
    found = float(np.median(sizes))
    if found < 1:
        raise ValueError(f"The shape is {found:.2g} pixels large, too small to be a cell. {_HOW}")
    return found


def _shapes_layer(viewer: napari.Viewer) -> Any:
    layers = [layer for layer in viewer.layers if isinstance(layer, Shapes)]
    selected = [layer for layer in layers if layer in viewer.layers.selection]
    visible = [layer for layer in layers if layer.visible]
    return next(iter([*reversed(selected), *reversed(visible)]), None)


def _in_pixels(layer: Any, corners: NDArray[Any], image: Image) -> NDArray[np.float64]:
    """Corners (n, 2) along the image's y and x."""
    axes = layer_axes(image)
    points = np.array([image.world_to_data(layer.data_to_world(corner)) for corner in corners])
    return np.asarray(points[:, [axes.index("y"), axes.index("x")]], float)


def _size(kind: str, corners: NDArray[np.float64]) -> float:
    steps = np.diff(corners, axis=0)
    if kind in ("line", "path"):
        return float(np.hypot(*steps.T).sum())
    y, x = corners.T
    area = abs(float(y @ np.roll(x, 1) - x @ np.roll(y, 1))) / 2
    # Of an ellipse, and of a cell in a rectangle, these are the corners of the box around it.
    return float(np.sqrt(area if kind in ("ellipse", "rectangle") else 4 * area / np.pi))
