"""True errors of labels: the maps that a dense critic learns, and 1 - IoU of objects and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp import metrics
from napari_ssp.labels import known_labels, number_labels

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float32]


def object_errors(truth: npt.ArrayLike, labels: npt.ArrayLike) -> Values:
    """1 - IoU of each object with the true one that it overlaps best.

    Parameters
    ----------
    truth, labels : array of int, same shape
        Label images; -1 in the truth is not annotated. Objects that lie mostly there have no
        error that could be known: nan.

    Returns
    -------
    numpy.ndarray
        Float32 (N,), in the order of the labels' ids.
    """
    ids, _ = number_labels(known_labels(labels))
    known, found = metrics.object_errors(truth, labels)
    errors = np.full(ids.size, np.nan, np.float32)
    errors[np.searchsorted(ids, known)] = found
    return errors


def image_error(truth: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """1 - panoptic quality; 0 where there is nothing and nothing was found."""
    quality = metrics.panoptic_quality(truth, labels).quality
    return 0.0 if np.isnan(quality) else 1.0 - quality


def error_targets(truth: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Values, Values]:
    """Make the maps that a critic learns, and how much each pixel counts for its map of objects.

    Parameters
    ----------
    truth, labels : array of int (Y, X)
        As of `object_errors`.

    Returns
    -------
    maps : numpy.ndarray
        Float32 (7, Y, X): five kinds of error, any of them, and 1 - IoU inside of each object.
    weights : numpy.ndarray
        Float32 (Y, X): all pixels of an object have a sum of 1; 0 outside.
    """
    maps = metrics.error_maps(truth, labels)
    errors = object_errors(truth, labels)
    ids, numbers = number_labels(known_labels(labels))
    areas = np.bincount(numbers.ravel(), minlength=ids.size + 1).astype(np.float32)
    known = np.insert(~np.isnan(errors), 0, False)
    of_pixels = np.insert(np.nan_to_num(errors), 0, 0)[numbers]
    weights = np.where(known[numbers], 1 / np.maximum(areas, 1)[numbers], 0)
    wrong = maps.any(axis=0)
    return np.stack([*maps, wrong, of_pixels]).astype(np.float32), weights.astype(np.float32)
