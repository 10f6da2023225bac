"""An edit of objects in a plane or stack of labels: what was asked for, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Box = tuple[slice, ...]
    Point = tuple[int, int]


#: Intersection over union of an object in two planes, from which on it is the same one.
GOES_ON = 0.25


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
    through : bool
        Whether objects of a stack are added, split, joined and removed in all their planes.
    """

    tool: Tool
    points: tuple[Point, ...]
    pixels: int = 1
    through: bool = False


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
    """Pixels of a plane, or of a stack, before and after.

    Attributes
    ----------
    gesture : Gesture
        What was asked for.
    box : tuple of slice
        Rows and columns that hold all pixels that change; of a stack planes, rows and columns.
    before, after : numpy.ndarray
        Labels of the box.
    objects : tuple of int
        Numbers of the objects that it is about, as they are afterwards; of removed ones, before.
    fresh : tuple of int
        Those among them that no object had.
    """

    gesture: Gesture
    box: Box
    before: NDArray[Any]
    after: NDArray[Any]
    objects: tuple[int, ...]
    fresh: tuple[int, ...] = ()

    @property
    def places(self) -> tuple[NDArray[np.intp], ...]:
        """Rows and columns (of a stack planes, rows and columns) of the pixels that change."""
        found = np.nonzero(self.before != self.after)
        return tuple(at + side.start for at, side in zip(found, self.box, strict=True))

    @property
    def gain(self) -> int:
        """How many objects there are more than before; fewer where it is negative."""
        before, after = (np.unique(x[x > 0]).size for x in (self.before, self.after))
        return after - before

    def fits(self, labels: NDArray[Any]) -> bool:
        """Whether the labels are as they were: the box untouched, no fresh number in its planes."""
        if not np.array_equal(labels[self.box], self.before):
            return False
        planes = labels[self.box[:-2]]
        return not any((planes == number).any() for number in self.fresh)

    def apply(self, labels: NDArray[Any]) -> None:
        """Write the new pixels into the labels."""
        labels[self.box] = self.after


def object_box(labels: NDArray[Any], ids: tuple[int, ...], margin: int = 0) -> Box:
    """Part of labels that holds objects, and a margin around them as far as the labels reach."""
    mask = np.isin(labels, ids)
    sides = []
    for axis, length in enumerate(labels.shape):
        (places,) = np.nonzero(mask.any(axis=tuple({*range(mask.ndim)} - {axis})))
        stop = min(int(places[-1]) + 1 + margin, length)
        sides.append(slice(max(int(places[0]) - margin, 0), stop))
    return tuple(sides)


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
