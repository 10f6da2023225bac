"""An object in two: along the flows where they say so, else along a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.editing.edit import (
    Edit,
    Gesture,
    Tool,
    line_pixels,
    new_numbers,
    object_box,
)
from napari_ssp.flows.field import FlowField, TrackingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.flows.editing.edit import Box, Outputs, Point

#: Pixels of a part that is more than a splinter of a line along the border.
_SMALLEST = 4


def split(
    labels: NDArray[Any],
    outputs: Outputs | None,
    line: tuple[Point, ...],
    number: int | None = None,
) -> Edit:
    """Split the object that a line goes through.

    Where pixels of the object flow to several places, those that meet stay together, on the side
    of the line on which most of them are. Where all flow to one place, or there are no flows, it
    is cut along the line. The largest part keeps the number.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers (Y, X); 0 is background.
    outputs : Outputs or None
        Of the network, for this plane.
    line : tuple of (int, int)
        y and x of its points in pixels; its ends are prolonged where it stops inside the object.
    number : int, optional
        Number of the first new object; one above the highest when not given.

    Returns
    -------
    Edit

    Raises
    ------
    ValueError
        When the line meets no object, or does not part it.
    """
    y, x = line_pixels(line, labels.shape).T
    crossed = labels[y, x][labels[y, x] > 0]
    if not crossed.size:
        raise ValueError("The line meets no object. Draw it across the one to split.")
    numbers, pixels = np.unique(crossed, return_counts=True)
    target = int(numbers[pixels.argmax()])
    box = object_box(labels, (target,), margin=2)
    before = np.array(labels[box])
    mask = _crossed(before == target, line, box)
    sides, count = _sides(mask, line, box)
    if outputs is not None:
        sides = _follow_flows(sides, count, mask, outputs.flows[(slice(None), *box)])
    sizes = np.bincount(sides[mask], minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    fresh = tuple(new_numbers(labels, count - 1, number))
    names = (target, *fresh)
    after = before.copy()
    for name, side in zip(names, order + 1, strict=True):
        after[mask & (sides == side)] = name
    return Edit(Gesture(Tool.SPLIT, line), box, before, after, names, fresh)


def _crossed(mask: NDArray[np.bool_], line: tuple[Point, ...], box: Box) -> NDArray[np.bool_]:
    """Separate parts of an object that a line meets; the others have nothing to do with it."""
    from scipy import ndimage  # takes a while to import

    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    met = parts[tuple(line_pixels(_in_box(line, box), mask.shape).T)]
    return np.isin(parts, met[met > 0])


def _in_box(line: tuple[Point, ...], box: Box) -> tuple[Point, ...]:
    return tuple((y - box[0].start, x - box[1].start) for y, x in line)


def _sides(
    mask: NDArray[np.bool_], line: tuple[Point, ...], box: Box
) -> tuple[NDArray[np.int32], int]:
    """Sides 1..n of a line through an object, at each pixel the nearest one."""
    from scipy import ndimage

    points = _in_box(line, box)
    for drawn in (points, _prolonged(points, mask.shape)):
        rest = mask.copy()
        rest[tuple(line_pixels(drawn, mask.shape).T)] = False
        parts, _ = ndimage.label(rest)  # over edges, which a diagonal line does not let through
        is_large = np.bincount(parts.ravel()) >= _SMALLEST
        is_large[0] = False
        sides = np.where(is_large, np.cumsum(is_large), 0)[parts]
        if is_large.sum() > 1:
            nearest = ndimage.distance_transform_edt(
                sides == 0, return_distances=False, return_indices=True
            )
            return sides[tuple(nearest)].astype(np.int32), int(is_large.sum())
    raise ValueError("The line does not part the object. Draw it from one side to the other.")


def _prolonged(points: tuple[Point, ...], shape: tuple[int, ...]) -> tuple[Point, ...]:
    """Line whose first and last pieces go on straight to beyond the plane."""
    far = sum(shape)

    def beyond(end: Point, before: Point) -> Point:
        way = np.subtract(end, before)
        y, x = np.add(end, far * way / max(float(np.hypot(*way)), 1.0)).round().astype(int).tolist()
        return y, x

    # Not from the next point alone: the last pixels of a hand-drawn line point anywhere.
    return (beyond(points[0], points[-1]), *points, beyond(points[-1], points[0]))


def _follow_flows(
    sides: NDArray[np.int32], count: int, mask: NDArray[np.bool_], flows: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Sides of pixels that flow together; those of the line where that leaves a side empty."""
    settings = TrackingSettings(flow_threshold=None, min_size=1)
    meeting = FlowField(flows, mask.astype(np.float32)).labels(settings)
    votes = np.zeros((int(meeting.max(initial=0)) + 1, count + 1), np.int64)
    np.add.at(votes, (meeting[mask], sides[mask]), 1)
    chosen = votes.argmax(axis=1)
    if len(np.unique(chosen[1:])) < count:
        return sides
    return np.where(meeting > 0, chosen[meeting], sides).astype(np.int32)
