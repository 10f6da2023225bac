"""Place of one object in its layer: the box around it, and the view that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.place import PLACES
from napari_ssp.widgets.layers.images import full_level, layer_axes, layer_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray

# An object that fills more or less of the view than this is brought to a size that can be seen.
_LARGEST, _SMALLEST, _GOOD = 0.8, 0.02, 0.2
#: Pixels that are looked at in the GUI thread without being felt.
_SEARCHED = 2**24


@dataclass(frozen=True, eq=False)
class ObjectPlace:
    """Where an object lies.

    Attributes
    ----------
    start : tuple of int
        First pixel of the box in the layer's data.
    mask : numpy.ndarray
        Bool, the pixels of the object in the box.
    """

    start: tuple[int, ...]
    mask: NDArray[np.bool_]

    @property
    def centre(self) -> NDArray[np.float64]:
        """Middle of the box, in pixels of the layer."""
        return np.array(self.start, float) + (np.array(self.mask.shape) - 1) / 2


def find_object(
    layer: Labels, label: int, rows: Sequence[Mapping[str, float]]
) -> ObjectPlace | None:
    """Find an object's pixels.

    Parameters
    ----------
    layer : napari.layers.Labels
        Its layer.
    label : int
        Label of the object.
    rows : sequence of dict
        What was measured of it, with the box; without one all pixels of a small array are looked
        at.

    Returns
    -------
    ObjectPlace or None
        None where no pixel has this label any more.
    """
    data = full_level(layer)
    box = _measured_box(layer, rows)
    found = _cut(data, box, label) if box else None
    if found is not None or not isinstance(data, np.ndarray) or data.size > _SEARCHED:
        return found
    return _searched(data, label)


def layer_origin(layer: Labels) -> dict[str, int]:
    """First pixel of a layer in the full image, where tables count from, along each axis."""
    return dict(zip(PLACES, layer_image(layer).origin, strict=True))


def show_object(
    viewer: napari.Viewer, layer: Labels, place: ObjectPlace, least_view: int = 0
) -> None:
    """Bring an object into the middle of the view, in a plane that it lies in.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose camera and sliders move.
    layer : napari.layers.Labels
        The object's layer.
    place : ObjectPlace
        Where it lies.
    least_view : int
        Pixels of the layer that are to be seen at least, so that what is around it is seen, too.
    """
    world = np.asarray(layer.data_to_world(place.centre), float)
    offset = viewer.dims.ndim - layer.ndim
    for i in range(layer.ndim):
        if i + offset in viewer.dims.displayed:
            continue
        index = round(float(np.asarray(layer.world_to_data(viewer.dims.point))[i]))
        inside = index - place.start[i]
        if not (0 <= inside < place.mask.shape[i] and _planes(place.mask, i)[inside]):
            centre = place.centre.copy()
            centre[i] = place.start[i] + int(np.argmax(_planes(place.mask, i)))
            viewer.dims.set_point(i + offset, float(layer.data_to_world(centre)[i]))
    camera = getattr(viewer, "scene", viewer).camera
    shown = [d - offset for d in viewer.dims.displayed]
    camera.center = tuple(float(world[i]) if i >= 0 else 0.0 for i in shown)
    if viewer.dims.ndisplay == 2:
        camera.zoom *= _magnification(layer, place, shown, least_view)


def _planes(mask: NDArray[np.bool_], axis: int) -> NDArray[Any]:
    """Pixels of the object in each position along an axis."""
    found: NDArray[Any] = mask.sum(axis=tuple(i for i in range(mask.ndim) if i != axis))
    return found


def _magnification(
    layer: Labels, place: ObjectPlace, shown: Sequence[int], least_view: int
) -> float:
    """How many times larger an object must be drawn, so that one sees it and what is around it."""
    factors = (
        layer.downsample_factors[layer.data_level] if layer.multiscale else np.ones(layer.ndim)
    )
    low, high = np.asarray(layer.corner_pixels, float) * factors
    lengths = [(place.mask.shape[i], high[i] - low[i] + 1) for i in shown if i >= 0]
    share = max(size / seen for size, seen in lengths)
    wanted = 1.0 if _SMALLEST <= share <= _LARGEST else _GOOD / share
    return min(wanted, min(seen for _, seen in lengths) / least_view) if least_view else wanted


def _measured_box(layer: Labels, rows: Sequence[Mapping[str, float]]) -> tuple[slice, ...] | None:
    """Box around all rows of an object, whose places are those of the full image."""
    if not rows or "bbox_y_start_px" not in rows[0]:
        return None
    box, origin = [], layer_origin(layer)
    for letter, length in zip(layer_axes(layer), full_level(layer).shape, strict=True):
        first, last = f"bbox_{letter}_start_px", f"bbox_{letter}_stop_px"
        if first in rows[0]:
            start, stop = min(r[first] for r in rows), max(r[last] for r in rows)
        elif letter in rows[0]:
            start, stop = min(r[letter] for r in rows), max(r[letter] for r in rows) + 1
        else:
            start, stop = origin[letter], length + origin[letter]
        start, stop = int(start) - origin[letter], int(stop) - origin[letter]
        box.append(slice(max(start, 0), max(min(stop, length), 0)))
    return tuple(box)


def _cut(data: Any, box: tuple[slice, ...], label: int) -> ObjectPlace | None:
    mask = np.asarray(data[box]) == label
    return ObjectPlace(tuple(part.start for part in box), mask) if mask.any() else None


def _searched(data: NDArray[Any], label: int) -> ObjectPlace | None:
    found = np.nonzero(data == label)
    if not found[0].size:
        return None
    box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in found)
    return _cut(data, box, label)
