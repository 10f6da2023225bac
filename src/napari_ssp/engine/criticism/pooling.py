"""Maps of errors pooled into few numbers for each object, and for the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.engine.criticism.channels import boundary

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_ssp.engine.criticism.channels import LabelledPlane

    Maps = npt.NDArray[np.float32]
    Values = npt.NDArray[np.float64]

#: Place of the maps that are asked for by name; the order is that of a critic's output.
MISSED, WRONG, OBJECT = 0, 5, 6
#: IoU above which an object counts as found.
_FOUND = 0.5


def object_features(plane: LabelledPlane, maps: Maps) -> Maps:
    """Describe each object to a critic's head.

    Parameters
    ----------
    plane : LabelledPlane
        Labels at their own magnification.
    maps : numpy.ndarray
        Float32 (7, Y, X), probabilities of a critic's maps.

    Returns
    -------
    numpy.ndarray
        Float32 (N, 18): the mean of each map over the object, and over its boundary pixels; the
        logarithm of its diameter over the median one, and that squared; the pixels of its boundary
        over those of a disk's; the share of them at the rim of the plane.
    """
    numbers, count = plane.numbers, plane.ids.size
    if not count:
        return np.zeros((0, 2 * len(maps) + 4), np.float32)
    flat, edge = numbers.ravel(), np.flatnonzero(boundary_or_rim(numbers))
    on_edge = flat[edge]
    areas, edges = plane.areas, np.bincount(on_edge, minlength=count + 1)[1:]
    whole = [_sums(flat, one.ravel(), count) / areas for one in maps]
    around = [_sums(on_edge, one.ravel()[edge], count) / np.maximum(edges, 1) for one in maps]
    size = np.log(areas / np.median(areas)) / 2
    roundness = edges / np.sqrt(4 * np.pi * areas)
    rim = np.bincount(_rim(numbers), minlength=count + 1)[1:] / np.maximum(edges, 1)
    found = np.stack([*whole, *around, size, size**2, roundness, rim], axis=1)
    return found.astype(np.float32)


def image_features(plane: LabelledPlane, maps: Maps, errors: npt.NDArray[np.floating]) -> Maps:
    """Describe an image to a critic's head.

    Parameters
    ----------
    plane, maps
        As of `object_features`.
    errors : numpy.ndarray
        Predicted 1 - IoU of each object.

    Returns
    -------
    numpy.ndarray
        Float32 (8,): mean and worst tenth of the objects' errors; the share of objects likely to be
        wrong; missed area over that of all objects, found or missed; wrong area over it; the error
        of the panoptic quality that these would mean; the mean map of wrong pixels; and whether
        there is no object.
    """
    known = ~plane.unknown
    inside = plane.numbers > 0
    area, missed = float(inside.sum()), float(maps[MISSED][known & ~inside].sum())
    everything = max(area + missed, 1.0)
    mean, worst, wrong = 0.0, 0.0, 0.0
    if errors.size:
        tenth = max(errors.size // 10, 1)
        mean, worst = float(errors.mean()), float(np.sort(errors)[-tenth:].mean())
        wrong = float((errors > 1 - _FOUND).mean())
    quality = _panoptic_quality(plane, errors, missed)
    amiss = float(maps[WRONG][known].sum())
    found = [mean, worst, wrong, missed / everything, min(amiss / everything, 3.0), 1 - quality]
    found += [amiss / max(int(known.sum()), 1), float(errors.size == 0)]
    return np.array(found, np.float32)


def _panoptic_quality(
    plane: LabelledPlane, errors: npt.NDArray[np.floating], missed: float
) -> float:
    """Quality where objects have the IoU that was predicted, and missed ones the usual size."""
    if not errors.size:
        return 0.0 if missed > 1 else 1.0
    overlaps = 1 - errors
    sure = np.clip((overlaps - _FOUND) / 0.2 + 0.5, 0, 1)
    lost = missed / float(np.median(plane.areas))
    return float((overlaps * sure).sum() / (errors.size + 0.5 * lost))


def boundary_or_rim(numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Boundary pixels, and pixels of objects at the rim of the plane."""
    edge = boundary(numbers)
    for side in (edge[0], edge[-1], edge[:, 0], edge[:, -1]):
        side[:] = True
    return edge & (numbers > 0)


def _rim(numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.concatenate([numbers[0], numbers[-1], numbers[1:-1, 0], numbers[1:-1, -1]])


def _sums(places: npt.NDArray[np.int32], values: npt.NDArray[np.float32], count: int) -> Values:
    sums: Values = np.bincount(places, values, minlength=count + 1)[1:].astype(np.float64)
    return sums
