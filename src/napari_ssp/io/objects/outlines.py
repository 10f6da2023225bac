"""Outlines of objects along the edges of their pixels, with holes and separate parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.io.label_images import label_image
from napari_ssp.labels import known_labels
from napari_ssp.place import add_axes

if TYPE_CHECKING:
    from collections.abc import Iterator

Ring = npt.NDArray[np.int64]
Polygon = tuple[Ring, ...]
_Labels = npt.NDArray[np.int64]

_EAST, _SOUTH, _WEST, _NORTH = range(4)
# Where the one odd pixel of four lies, and how a walk with the object on its right turns there:
# (arriving, leaving) around the object's own corner, and around a corner of what is not it.
_QUADRANTS = ((0, 0), (0, 1), (1, 0), (1, 1))
_CONVEX = ((_SOUTH, _WEST), (_WEST, _NORTH), (_EAST, _SOUTH), (_NORTH, _EAST))
_CONCAVE = ((_EAST, _NORTH), (_SOUTH, _EAST), (_NORTH, _WEST), (_WEST, _SOUTH))
_ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Outline:
    """Outline of one object in one plane.

    Attributes
    ----------
    label : int
        The object's number.
    polygons : tuple of polygons
        One per part whose pixels share edges; parts that touch in a corner only are separate. Each
        is a tuple of rings: the outer one, then those of its holes. A ring is an int64 array (N, 2)
        of (y, x), not closed, with corners only; the pixel of row 3 reaches from y = 3 to y = 4.
        No ring meets itself. Outer rings have a positive area in (x, y), those of holes a negative
        one.
    """

    label: int
    polygons: tuple[Polygon, ...]


@dataclass(frozen=True, eq=False)
class _Corners:
    """Corners of all outlines, in the order of part, y and x."""

    part: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    x: npt.NDArray[np.int64]
    arriving: npt.NDArray[np.int8]
    leaving: npt.NDArray[np.int8]


def trace_outlines(plane: npt.ArrayLike) -> list[Outline]:
    """Outline the objects of one label image; filling the outlines gives the same pixels again.

    Parameters
    ----------
    plane : array of int, shape (Y, X)
        Label image, 0 is background; ids may have gaps. -1, not annotated, is left out.

    Returns
    -------
    list of Outline
        In the order of the labels.

    Raises
    ------
    TypeError
        If the labels are no whole numbers.
    ValueError
        If the array is not 2D, or a label is below -1.
    """
    labels = _checked(np.asarray(plane))
    if not labels.any():
        return []
    parts, label_of = _parts(labels)
    found: dict[int, list[Polygon]] = {}
    for part, rings in _rings_by_part(_corners(parts)):
        found.setdefault(int(label_of[part]), []).append(rings)
    return [Outline(label, tuple(found[label])) for label in sorted(found)]


def outline_planes(
    labels: Any, axes: str | None = None
) -> Iterator[tuple[dict[str, int], list[Outline]]]:
    """Outline the objects of all planes of a label image, in pixels of the full image.

    Parameters
    ----------
    labels : MicroscopyImage or array of int
        Label image; a MicroscopyImage may be a part of an image, as its origin says.
    axes : str, optional
        One letter of "tzyx" per axis of an array; "yx" when not given.

    Yields
    ------
    place : dict
        Position along "t" and "z" in the full image, from 0, where it is known to have these axes.
    outlines : list of Outline
        In the order of the labels.

    Raises
    ------
    ValueError
        If the axes do not fit, or there are channels.
    """
    image = add_axes(label_image(labels, axes))
    if image.num_channels > 1:
        raise ValueError(
            f"The labels have {image.num_channels} channels (axes '{image.axes}', shape "
            f"{image.shape}), but objects are outlined in one. Give each channel alone."
        )
    first_t, first_z, top, left = image.origin
    shift = np.array([top, left])
    for t, z in image.planes():
        place = {"t": t + first_t, "z": z + first_z}
        found = trace_outlines(image.plane(t, z))
        outlines = [_shifted_outline(outline, shift) for outline in found]
        yield {a: n for a, n in place.items() if a in image.axes}, outlines


def _shifted_outline(outline: Outline, shift: Ring) -> Outline:
    polygons = (tuple(ring + shift for ring in rings) for rings in outline.polygons)
    return Outline(outline.label, tuple(polygons))


def _checked(plane: npt.NDArray[Any]) -> _Labels:
    if plane.ndim != 2:
        raise ValueError(f"Outlines are of one plane (Y, X), but the shape is {plane.shape}.")
    return known_labels(plane).astype(np.int64, copy=False)


def _parts(labels: _Labels) -> tuple[_Labels, npt.NDArray[np.int64]]:
    """Tell apart the parts whose pixels share edges, with a margin; and give their labels."""
    from skimage.measure import label

    parts, count = label(  # type: ignore[no-untyped-call]
        labels, background=0, connectivity=1, return_num=True
    )
    label_of = np.zeros(count + 1, np.int64)
    label_of[parts] = labels
    return np.pad(parts, 1), label_of


def _corners(parts: _Labels) -> _Corners:
    found = []
    for row in range(0, parts.shape[0] - 1, _ROWS_AT_ONCE):
        found += _corners_in(parts[row : row + _ROWS_AT_ONCE + 1], row)
    part, y, x, arriving, leaving = (np.concatenate(values) for values in zip(*found, strict=True))
    order = _order(part, y, x)
    return _Corners(part[order], y[order], x[order], arriving[order], leaving[order])


def _corners_in(parts: _Labels, first_row: int) -> list[tuple[npt.NDArray[Any], ...]]:
    """Corners where four pixels meet, one of which differs from its two neighbours."""
    found: list[tuple[npt.NDArray[Any], ...]] = []
    four = {(i, j): _shifted(parts, i, j) for i, j in _QUADRANTS}
    for (i, j), convex, concave in zip(_QUADRANTS, _CONVEX, _CONCAVE, strict=True):
        own, across = four[i, j], four[1 - i, 1 - j]
        beside, above = four[i, 1 - j], four[1 - i, j]
        outer = (own != beside) & (own != above) & (own != across) & (own > 0)
        # Where two pixels of a part meet diagonally, rings turn around the other two. So a ring
        # never meets itself, since the part joins them elsewhere.
        inner = (own != beside) & (beside == above) & (beside > 0)
        for flags, source, (arriving, leaving) in ((outer, own, convex), (inner, beside, concave)):
            y, x = np.nonzero(flags)
            ways = np.full((y.size, 2), (arriving, leaving), np.int8).T
            found.append((source[y, x].astype(np.int64), y + first_row, x, ways[0], ways[1]))
    return found


def _shifted(parts: _Labels, down: int, right: int) -> _Labels:
    height, width = parts.shape
    return parts[down : height - 1 + down, right : width - 1 + right]


def _order(part: Ring, major: Ring, minor: Ring) -> npt.NDArray[np.intp]:
    return np.lexsort((minor, major, part))


def _rings_by_part(corners: _Corners) -> Iterator[tuple[int, Polygon]]:
    """Give the rings of each part, the outer one first: it has the part's first corner."""
    points = np.stack([corners.y, corners.x], axis=1)
    following = _following(corners).tolist()
    seen = bytearray(len(following))
    part = int(corners.part[0])
    rings: list[Ring] = []
    for start, own in enumerate(corners.part.tolist()):
        if seen[start]:
            continue
        ring, corner = [], start
        while not seen[corner]:
            seen[corner] = 1
            ring.append(corner)
            corner = following[corner]
        if own != part:
            yield part, tuple(rings)
            part, rings = own, []
        rings.append(points[ring])
    yield part, tuple(rings)


def _following(corners: _Corners) -> npt.NDArray[np.intp]:
    """Give the next corner of each: on one line of one part, beginnings and ends take turns."""
    following = np.empty(corners.part.size, np.intp)
    by_column = _order(corners.part, corners.x, corners.y)
    for way in (_EAST, _SOUTH, _WEST, _NORTH):
        order = np.arange(by_column.size) if way in (_EAST, _WEST) else by_column
        begins, ends = (order[ways[order] == way] for ways in (corners.leaving, corners.arriving))
        following[begins] = ends
    return following
