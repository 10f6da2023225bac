"""Labels that are not everywhere: pixels that nobody annotated, outlines, a strip held out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows import labels_to_flows
from napari_ssp.training.data import UNKNOWN, numbered
from napari_ssp.training.holdout import STRIP_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_ssp.training.data import LabelledImage

#: An object whose outline borders unknown pixels by a share in between may be cut by them.
_CUT_FROM, _CUT_TO = 0.05, 0.6
#: MEDIAR keeps smaller objects whole where it removes outlines.
_SMALL = 196
#: Least width of a strip that is held out.
STRIP_WIDTH = 32


def without_outlines(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turn thick outlines into background, as MEDIAR does before pre-training.

    Objects of less than 196 pixels are kept whole, and so are pixels at the border of the image.
    """
    known = np.maximum(labels, 0)
    outlines = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differ = np.diff(known, axis=axis) != 0
        first, second = np.moveaxis(outlines, axis, 0)[:-1], np.moveaxis(outlines, axis, 0)[1:]
        first |= np.moveaxis(differ, axis, 0)
        second |= np.moveaxis(differ, axis, 0)
    outlines &= known > 0
    outlines &= np.bincount(known.ravel())[known] >= _SMALL
    outlines[[0, -1]] = outlines[:, [0, -1]] = False
    return np.where(outlines, 0, labels).astype(np.int32)


def targets(labels: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Make what the network is to learn of a crop.

    Unknown pixels count neither for cells nor for flows. Nor do the flows of an object that unknown
    pixels may have cut: its centre is another than the label's. One that they border by more than
    60 % of its outline was drawn in a place that nobody else annotated, and is whole.

    Returns
    -------
    flows : numpy.ndarray
        Float32 (2, Y, X), unit vectors.
    cells : numpy.ndarray
        Float32 (Y, X), 1 in objects.
    counted : numpy.ndarray
        Bool (2, Y, X): where flows, and where cells count.
    """
    known = labels >= 0
    if known.all():
        counted = np.broadcast_to(known, (2, *labels.shape))
        return labels_to_flows(labels), (labels > 0).astype(np.float32), counted
    ids = np.maximum(labels, 0)
    cut = _cut_objects(labels)
    return (
        labels_to_flows(ids),
        (ids > 0).astype(np.float32),
        np.stack([known & ~cut[ids], known]),
    )


def _cut_objects(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which ids, from 0 on, border unknown pixels by a part of their outline."""
    count = int(labels.max()) + 1
    outline, unknown = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for here, there in _neighbours(labels):
        edge = (here > 0) & (here != there)
        outline += np.bincount(here[edge], minlength=count)[:count]
        unknown += np.bincount(here[edge & (there < 0)], minlength=count)[:count]
    share = unknown / np.maximum(outline, 1)
    return (share > _CUT_FROM) & (share < _CUT_TO)


def _neighbours(labels: NDArray[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Pixels and their neighbours, in all four directions."""
    for first, second in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        yield first, second
        yield second, first


def set_strip_aside(image: LabelledImage) -> tuple[LabelledImage, LabelledImage] | None:
    """Divide an image into a part to learn from and a strip at one side to score.

    The side is that whose strip holds nearest to a quarter of the objects. Objects that are cut
    become unknown in both parts.

    Returns
    -------
    tuple of LabelledImage or None
        To learn from, and to score; None when no strip leaves objects in both parts.
    """
    best: tuple[float, Any, Any] | None = None
    total = int(image.labels.max(initial=0))
    for learned, scored in _divisions(image.labels.shape):
        inside, outside = (
            _whole(image.labels, part, other)
            for part, other in ((scored, learned), (learned, scored))
        )
        if inside and outside:
            error = abs(inside / total - STRIP_SHARE)
            if best is None or error < best[0]:
                best = error, learned, scored
    if best is None:
        return None
    _, learned, scored = best
    cut = np.intersect1d(image.labels[learned], image.labels[scored])
    return cut_out(image, learned, cut), cut_out(image, scored, cut)


def _divisions(shape: tuple[int, ...]) -> Iterator[tuple[Any, Any]]:
    """All ways to cut a strip off, as slices of the rest and of the strip."""
    for axis in (0, 1):
        width = max(STRIP_WIDTH, round(STRIP_SHARE * shape[axis]))
        if shape[axis] < 2 * width:
            continue
        before = (slice(None),) * axis
        for at in (width, shape[axis] - width):
            first, last = (*before, slice(0, at)), (*before, slice(at, None))
            yield (last, first) if at == width else (first, last)


def _whole(labels: NDArray[np.int32], part: Any, other: Any) -> int:
    """How many objects lie in one part alone."""
    ids = np.setdiff1d(labels[part], labels[other])
    return int((ids > 0).sum())


def cut_out(image: LabelledImage, part: Any, cut: NDArray[Any]) -> LabelledImage:
    """Part of an image, in which some objects, which it does not hold as a whole, are unknown."""
    labels = image.labels[part]
    unknown = (labels < 0) | ((labels > 0) & np.isin(labels, cut))
    pixels = np.ascontiguousarray(image.pixels[(slice(None), *part)])
    return replace(image, pixels=pixels, labels=numbered(np.where(unknown, UNKNOWN, labels)))
