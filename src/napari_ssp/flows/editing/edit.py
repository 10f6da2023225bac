"""An edit of objects in a plane of labels: what was asked for, and which pixels it changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Box = tuple[slice, slice]
    Point = tuple[int, int]


class Tool(StrEnum):
    """What can be done to objects."""

    ADD = "add"
    SPLIT = "split"
    JOIN = "join"
    REMOVE = "remove"
    GROW = "grow"
    SHRINK = "shrink"


@dataclass(frozen=True)
class Gesture:
    """What a person asked for.

    Attributes
    ----------
    tool : Tool
        What to do.
    points : tuple of (int, int)
        y and x in pixels of the plane: a click, or a line from point to point.
    pixels : int
        How far an object grows or shrinks.
    """

    tool: Tool
    points: tuple[Point, ...]
    pixels: int = 1


class Outputs(NamedTuple):
    """What a network said of a plane.

    Attributes
    ----------
    flows : numpy.ndarray
        Float32 (2, Y, X): flow_y, flow_x, in the network's scale, 5 times unit vectors.
    probability : numpy.ndarray
        Float32 (Y, X) in [0, 1].
    cell_threshold : float
        Threshold that the labels were made with.
    """

    flows: NDArray[np.float32]
    probability: NDArray[np.float32]
    cell_threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class Edit:
    """Pixels of a plane before and after.

    Attributes
    ----------
    gesture : Gesture
        What was asked for.
    box : tuple of slice
        Rows and columns that hold all pixels that change.
    before, after : numpy.ndarray
        Labels of the box.
    objects : tuple of int
        Numbers of the objects that it is about, as they are afterwards; of removed ones, before.
    """

    gesture: Gesture
    box: Box
    before: NDArray[Any]
    after: NDArray[Any]
    objects: tuple[int, ...]

    @property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns, in the plane, of the pixels that change."""
        y, x = np.nonzero(self.before != self.after)
        return y + self.box[0].start, x + self.box[1].start

    @property
    def gain(self) -> int:
        """How many objects there are more than before; fewer where it is negative."""
        before, after = (np.unique(x[x > 0]).size for x in (self.before, self.after))
        return after - before

    def fits(self, labels: NDArray[Any]) -> bool:
        """Whether the plane is as it was: the box untouched, new numbers taken by nobody."""
        new = np.setdiff1d(self.after[self.after > 0], self.before)
        return np.array_equal(labels[self.box], self.before) and not np.isin(labels, new).any()

    def apply(self, labels: NDArray[Any]) -> None:
        """Write the new pixels into the plane."""
        labels[self.box] = self.after


def object_box(labels: NDArray[Any], ids: tuple[int, ...], margin: int = 0) -> Box:
    """Rows and columns of objects, and a margin around them as far as the plane reaches."""
    mask = np.isin(labels, ids)
    sides = []
    for axis, length in enumerate(labels.shape):
        (places,) = np.nonzero(mask.any(axis=1 - axis))
        stop = min(int(places[-1]) + 1 + margin, length)
        sides.append(slice(max(int(places[0]) - margin, 0), stop))
    return sides[0], sides[1]


def new_numbers(labels: NDArray[Any], count: int, first: int | None) -> range:
    """Numbers for new objects from ``first`` on; above the highest of the plane without it.

    Raises
    ------
    ValueError
        When the dtype ends before.
    """
    last = int(np.iinfo(labels.dtype).max)
    first = int(labels.max(initial=0)) + 1 if first is None else first
    if first + count - 1 > last:
        raise ValueError(
            f"The labels are {labels.dtype}, which ends at {last}, and a new object would be "
            f"{first}. Convert the layer first: Convert data type in its menu."
        )
    return range(first, first + count)


def line_pixels(points: tuple[Point, ...], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Pixels (N, 2) of a line from point to point, in its order, inside of the plane."""
    pieces = [np.array(points[:1], np.intp)]
    for start, stop in pairwise(points):
        steps = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]))
        if steps:
            pieces.append(np.linspace(start, stop, steps + 1)[1:].round().astype(np.intp))
    pixels = np.concatenate(pieces)
    return pixels[((pixels >= 0) & (pixels < shape)).all(axis=1)]


def touched(labels: NDArray[Any], points: tuple[Point, ...]) -> list[int]:
    """Numbers of the objects under a line, in its order."""
    y, x = line_pixels(points, labels.shape).T
    return [int(number) for number in dict.fromkeys(labels[y, x].tolist()) if number > 0]
