"""Drawn shapes as the area that the user has annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.service.annotation.annotations import Outline
from napari_ssp.widgets.layers.images import layer_axes

if TYPE_CHECKING:
    from napari.layers import Labels, Shapes
    from numpy.typing import NDArray

_CORNERS_OF_ELLIPSE = 64


def outline_annotated_area(shapes: Shapes, labels: Labels) -> tuple[Outline, ...]:
    """Outlines of rectangles, ellipses and polygons in the pixels of a labels layer.

    Parameters
    ----------
    shapes : napari.layers.Shapes
        Drawn in the same viewer; may have another scale than the labels. A shape drawn on a plane
        of a stack belongs to that plane, a 2D one to all planes.
    labels : napari.layers.Labels
        The annotated layer.

    Raises
    ------
    ValueError
        When there is no shape that has an inside.
    """
    pairs = zip(shapes.data, shapes.shape_type, strict=True)
    found = tuple(
        _outline(np.asarray(corners, float), str(kind), shapes, labels)
        for corners, kind in pairs
        if str(kind) not in ("line", "path")
    )
    if not found:
        raise ValueError(
            f"'{shapes.name}' has no rectangle, ellipse or polygon. Draw one around what you have "
            "annotated, or choose 'Everywhere'."
        )
    return found


def _outline(corners: NDArray[Any], kind: str, shapes: Shapes, labels: Labels) -> Outline:
    if kind == "ellipse":
        corners = _ellipse(corners)
    places = np.array([_in_pixels(corner, shapes, labels) for corner in corners])
    axes = layer_axes(labels)
    y, x = axes.index("y"), axes.index("x")
    plane = None
    if shapes.ndim >= labels.ndim > 2:
        middle = dict(zip(axes, places.mean(axis=0).round().astype(int).tolist(), strict=True))
        plane = (middle.get("t", 0), middle.get("z", 0))
    return Outline(places[:, (y, x)], plane)


def _in_pixels(corner: NDArray[Any], shapes: Shapes, labels: Labels) -> NDArray[Any]:
    world = np.asarray(shapes.data_to_world(corner), float)
    lacking = max(labels.ndim - len(world), 0)
    padded = np.concatenate([np.zeros(lacking), world])[-labels.ndim :]
    return np.asarray(labels.world_to_data(padded), float)


def _ellipse(corners: NDArray[Any]) -> NDArray[Any]:
    """Points on the ellipse within a box that is given by its corners in their order."""
    centre = corners.mean(axis=0)
    one, other = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _CORNERS_OF_ELLIPSE, endpoint=False)
    points: NDArray[Any] = centre + np.outer(np.cos(angles), one) + np.outer(np.sin(angles), other)
    return points
