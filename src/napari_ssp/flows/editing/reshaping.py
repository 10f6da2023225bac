"""Objects joined, removed, grown and shrunk; no other object loses a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.editing.edit import Edit, Gesture, Tool, line_pixels, object_box, touched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.flows.editing.edit import Point


def join(labels: NDArray[Any], line: tuple[Point, ...]) -> Edit:
    """Make one object of all that a line touches; background between them is bridged.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers (Y, X); 0 is background.
    line : tuple of (int, int)
        y and x of its points in pixels.

    Returns
    -------
    Edit
        The largest object keeps its number.

    Raises
    ------
    ValueError
        When the line touches fewer than two objects.
    """
    found = touched(labels, line)
    if len(found) < 2:
        raise ValueError("The line touches fewer than two objects. Draw it from one to the other.")
    box = object_box(labels, tuple(found), margin=1)
    before = np.array(labels[box])
    sizes = [int((before == number).sum()) for number in found]
    kept = found[int(np.argmax(sizes))]
    after = np.where(np.isin(before, found), np.array(kept, labels.dtype), before)
    bridge = _bridge(labels, line, found) - (box[0].start, box[1].start)
    for step in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = np.clip(bridge + step, 0, np.array(after.shape) - 1).T
        after[y, x] = np.where(after[y, x] == 0, np.array(kept, labels.dtype), after[y, x])
    return Edit(Gesture(Tool.JOIN, line), box, before, after, (kept,))


def remove(labels: NDArray[Any], line: tuple[Point, ...]) -> Edit:
    """Remove the objects at a point, or under a line.

    Raises
    ------
    ValueError
        When there is none.
    """
    found = tuple(touched(labels, line))
    if not found:
        raise ValueError("Here is no object to remove.")
    box = object_box(labels, found)
    before = np.array(labels[box])
    after = np.where(np.isin(before, found), np.array(0, labels.dtype), before)
    return Edit(Gesture(Tool.REMOVE, line), box, before, after, found)


def grow(labels: NDArray[Any], point: Point, pixels: int = 1) -> Edit:
    """Grow the object at a point into the background around it.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers (Y, X); 0 is background.
    point : tuple of int
        y and x in pixels.
    pixels : int
        How far.

    Returns
    -------
    Edit

    Raises
    ------
    ValueError
        When there is no object, or no background around it.
    """
    from scipy import ndimage  # takes a while to import

    number = _object_at(labels, point)
    box = object_box(labels, (number,), margin=pixels)
    before = np.array(labels[box])
    mask = before == number
    room = mask | (before == 0)
    grown = ndimage.binary_dilation(mask, iterations=pixels, mask=room)
    if not (grown & ~mask).any():
        raise ValueError(f"Object {number} has no background around it to grow into.")
    after = np.where(grown, np.array(number, labels.dtype), before)
    return Edit(Gesture(Tool.GROW, (point,), pixels), box, before, after, (number,))


def shrink(labels: NDArray[Any], point: Point, pixels: int = 1) -> Edit:
    """Take the outermost pixels off the object at a point; arguments as of `grow`.

    Raises
    ------
    ValueError
        When there is no object, or nothing would be left of it.
    """
    from scipy import ndimage

    number = _object_at(labels, point)
    box = object_box(labels, (number,), margin=1)
    before = np.array(labels[box])
    mask = before == number
    # Beyond the edge of the image an object goes on.
    left = ndimage.binary_erosion(mask, iterations=pixels, border_value=1)
    if not left.any():
        raise ValueError(f"Nothing would be left of object {number}. Remove it instead.")
    after = np.where(mask & ~left, np.array(0, labels.dtype), before)
    return Edit(Gesture(Tool.SHRINK, (point,), pixels), box, before, after, (number,))


def _object_at(labels: NDArray[Any], point: Point) -> int:
    number = int(labels[point])
    if number <= 0:
        raise ValueError("Here is no object. Click on one.")
    return number


def _bridge(labels: NDArray[Any], line: tuple[Point, ...], found: list[int]) -> NDArray[np.intp]:
    """Pixels of a line between the first and the last of its objects."""
    pixels = line_pixels(line, labels.shape)
    (inside,) = np.nonzero(np.isin(labels[tuple(pixels.T)], found))
    return pixels[inside[0] : inside[-1] + 1]
