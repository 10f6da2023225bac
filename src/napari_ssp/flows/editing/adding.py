"""A missed object: the flows say which pixels belong to the one that was clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.editing.edit import Edit, Gesture, Tool, new_numbers
from napari_ssp.flows.field import FLOW_SCALE, FlowField, TrackingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.flows.editing.edit import Box, Outputs, Point

#: Pixels around the object's middle that are tracked first, and at most: no pixel flows further.
_NEAR, _FAR = 48, 200
#: Cell probability below which the network sees nothing.
_NOTHING = 0.02
#: Where an object ends, as a share of the highest probability in it.
_EDGE = 0.5
#: Fewer pixels are not an object.
_SMALLEST = 4


def add_at(labels: NDArray[Any], outputs: Outputs, point: Point, number: int | None = None) -> Edit:
    """Add the object that the flows give at a point; no other object loses a pixel.

    The cell threshold is lowered for this object alone, to half of its highest probability, or
    to that of the point.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers (Y, X); 0 is background.
    outputs : Outputs
        Of the network, for this plane.
    point : tuple of int
        y and x in pixels.
    number : int, optional
        Number of the object; one above the highest when not given.

    Returns
    -------
    Edit

    Raises
    ------
    ValueError
        When there is an object already, or the network sees none.
    """
    if labels[point] != 0:
        raise ValueError(f"Here is object {labels[point]} already. Click beside the objects.")
    flows, probability, threshold = outputs
    clicked = float(probability[point])
    if clicked < _NOTHING:
        raise ValueError(
            f"The network sees no cell here (probability {clicked:.2f}). Draw it with the brush."
        )
    middle = _middle(flows, point)
    apart = max(abs(middle[0] - point[0]), abs(middle[1] - point[1]))
    for reach in (_NEAR, 2 * _NEAR, _FAR):
        box = _around(middle, max(reach, apart + 1), labels.shape)
        found = _basin(flows[(slice(None), *box)], probability[box], point, box)
        if not _is_cut(found, box, labels.shape):
            break
    here = (point[0] - box[0].start, point[1] - box[1].start)
    mask = _trimmed(found, probability[box], here, threshold) & (labels[box] == 0)
    mask = _part_at(mask, here)
    if mask.sum() < _SMALLEST:
        raise ValueError(
            "The flows do not meet here, so they give no object. Draw it with the brush."
        )
    (new,) = new_numbers(labels, 1, number)
    before = np.array(labels[box])
    after = np.where(mask, np.array(new, labels.dtype), before)
    return Edit(Gesture(Tool.ADD, (point,)), box, before, after, (new,), (new,))


def _middle(flows: NDArray[np.float32], point: Point) -> Point:
    """Pixel where the flow from a point ends, to a pixel or two."""
    last = np.array(flows.shape[1:]) - 1
    place = np.array(point, float)
    for _ in range(_FAR):
        y, x = place.astype(int)
        place = np.clip(place + flows[:, y, x] / FLOW_SCALE, 0, last)
    return int(place[0]), int(place[1])


def _around(point: Point, reach: int, shape: tuple[int, ...]) -> Box:
    rows, columns = (
        slice(max(at - reach, 0), min(at + reach + 1, length))
        for at, length in zip(point, shape, strict=True)
    )
    return rows, columns


def _basin(
    flows: NDArray[np.float32], probability: NDArray[np.float32], point: Point, box: Box
) -> NDArray[np.bool_]:
    """Pixels of a part whose ways end where that of the point ends; none where it ends alone."""
    y, x = point[0] - box[0].start, point[1] - box[1].start
    threshold = min(0.5, float(probability[y, x])) / 2
    settings = TrackingSettings(threshold, None, min_size=1)
    objects = FlowField(flows, probability).labels(settings)
    return np.asarray((objects == objects[y, x]) & (objects > 0))


def _is_cut(mask: NDArray[np.bool_], box: Box, shape: tuple[int, ...]) -> bool:
    """Whether an object may go on beyond a box, or its pixels meet beyond it."""
    rows, columns = box
    inner = mask[
        int(rows.start > 0) : len(mask) - int(rows.stop < shape[0]),
        int(columns.start > 0) : mask.shape[1] - int(columns.stop < shape[1]),
    ]
    return not mask.any() or int(inner.sum()) < int(mask.sum())


def _trimmed(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], point: Point, threshold: float
) -> NDArray[np.bool_]:
    """Pixels that are probable enough, without holes."""
    from scipy import ndimage  # takes a while to import

    edge = edge_of(probability[mask], threshold)
    probable = (probability > edge) | (probability >= probability[point])
    return np.asarray(ndimage.binary_fill_holes(mask & probable))


def edge_of(probability: NDArray[np.float32], threshold: float) -> float:
    """Cell probability at which an object ends, by those in it and the threshold of all."""
    return min(threshold, _EDGE * float(probability.max(initial=0.0)))


def _part_at(mask: NDArray[np.bool_], point: Point) -> NDArray[np.bool_]:
    """Part of a mask that holds a point."""
    from scipy import ndimage

    parts, _ = ndimage.label(mask)
    return np.asarray((parts == parts[point]) & mask)
