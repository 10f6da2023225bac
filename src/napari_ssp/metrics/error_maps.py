"""Errors of a label image: maps of each kind, and one number for each object."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.labels import number_labels
from napari_ssp.metrics.agreement import Category, compare_objects
from napari_ssp.metrics.overlap import Overlap, check_pair

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_ssp.metrics.overlap import Labels

    Flags = npt.NDArray[np.bool_]


class ErrorKind(IntEnum):
    """What is wrong with a pixel; the place of its map among `error_maps`."""

    MISSED = 0
    EXTRA = 1
    MERGED = 2
    SPLIT = 3
    BOUNDARY = 4


def error_maps(
    truth: npt.ArrayLike, prediction: npt.ArrayLike, threshold: float = 0.5
) -> npt.NDArray[np.bool_]:
    """Show where a label image is wrong, and in what way.

    The maps of missed, extra, merged and split hold all pixels of the true and of the predicted
    objects that `compare_objects` says it of. That of boundaries holds the pixels of matched
    objects, true or predicted, that are not common to both partners. A pixel may be wrong in
    several ways; one that is wrong in none is right: background in both, or inside of a matched
    pair.

    Parameters
    ----------
    truth, prediction : array of int, same shape, two or more axes
        Label images, 0 is background; ids may have gaps. Where the truth is -1, not annotated,
        nothing is wrong.
    threshold : float
        IoU from which a pair counts as a match, above 0 and at most 1.

    Returns
    -------
    numpy.ndarray
        Bool (5, ...): one map of the images' shape for each `ErrorKind`.

    Raises
    ------
    TypeError
        If an array does not hold whole numbers.
    ValueError
        If the shapes differ, a label is below -1, or the threshold is out of range.
    """
    pair = check_pair(truth, prediction)
    found = compare_objects(*pair, threshold)
    true = _of_pixels(pair[0], found.truth_categories)
    predicted = _of_pixels(pair[1], found.prediction_categories)
    maps = np.empty((len(ErrorKind), *true.shape), np.bool_)
    for kind in (ErrorKind.MISSED, ErrorKind.EXTRA, ErrorKind.MERGED, ErrorKind.SPLIT):
        category = Category[kind.name]
        maps[kind] = (true == category) | (predicted == category)
    common = (pair[0] > 0) & (_of_pixels(pair[0], found.truth_partners) == pair[1])
    matched = (true == Category.MATCHED) | (predicted == Category.MATCHED)
    maps[ErrorKind.BOUNDARY] = matched & ~(common & (pair[1] > 0))
    return maps


def object_errors(
    truth: npt.ArrayLike, prediction: npt.ArrayLike
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float64]]:
    """Say how wrong each object of a label image is: 1 - IoU with the best true object.

    Parameters
    ----------
    truth, prediction : array of int, same shape, two or more axes
        As of `error_maps`. Objects that lie mostly where the truth is -1 are left out.

    Returns
    -------
    labels : numpy.ndarray
        Ids of the predicted objects, ascending.
    errors : numpy.ndarray
        Float64, from 0, the same pixels, to 1, no true object there.

    Raises
    ------
    TypeError, ValueError
        As of `error_maps`.
    """
    overlap = Overlap(*check_pair(truth, prediction))
    best = np.zeros(overlap.predicted_ids.size)
    np.maximum.at(best, overlap.predicted, overlap.iou)
    return overlap.predicted_ids[1:], 1.0 - best[1:]


def _of_pixels(labels: Labels, values: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Value of each pixel's object, of one for each id; 0 in the background."""
    return np.insert(values, 0, 0)[number_labels(labels)[1]]
