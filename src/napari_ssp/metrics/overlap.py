"""Overlap of the objects of two label images: by how much, and who is matched to whom."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from napari_ssp.labels import explain_shapes, known_labels, number_labels

Labels = npt.NDArray[np.integer[Any]]
Numbers = npt.NDArray[np.intp]
#: A predicted object that lies in unknown pixels by more than this share is no mistake.
_UNKNOWN_SHARE = 0.5


class Overlap:
    """All overlapping pairs of two label images.

    Objects have numbers from 1, in the order of their ids.

    Parameters
    ----------
    truth, prediction : array of int, same shape
        As `check_pair` returns them.
    border : int
        Objects that touch the outer ``border`` pixels of the last two axes are left out.

    Attributes
    ----------
    true_ids, predicted_ids : numpy.ndarray
        Id of each number, as in the images; 0 stands at number 0.
    true_numbers, predicted_numbers : numpy.ndarray
        The images with numbers instead of ids.
    true_sizes, predicted_sizes : numpy.ndarray
        Pixels of each number.
    true, predicted, shared, iou : numpy.ndarray
        For each overlapping pair both numbers, the common pixels and the IoU.
    """

    def __init__(self, truth: Labels, prediction: Labels, border: int = 0) -> None:
        true_ids, rows = number_labels(truth)
        predicted_ids, columns = number_labels(prediction)
        # Number 0 is the background.
        self.true_ids = np.insert(true_ids, 0, 0)
        self.predicted_ids = np.insert(predicted_ids, 0, 0)
        self.true_numbers, self.predicted_numbers = (
            _without_border(numbers, border) for numbers in (rows, columns)
        )
        rows, columns = self.true_numbers.ravel(), self.predicted_numbers.ravel()
        self.true_sizes = np.bincount(rows, minlength=self.true_ids.size)
        self.predicted_sizes = np.bincount(columns, minlength=self.predicted_ids.size)
        both = (rows > 0) & (columns > 0)
        ones = np.ones(np.count_nonzero(both), dtype=np.int64)
        self._shape = (self.true_ids.size, self.predicted_ids.size)
        pairs = sparse.coo_matrix((ones, (rows[both], columns[both])), self._shape).tocsr().tocoo()
        self.true, self.predicted, self.shared = pairs.row, pairs.col, pairs.data
        union = self.true_sizes[self.true] + self.predicted_sizes[self.predicted] - self.shared
        self.iou = self.shared / union

    @property
    def num_true(self) -> int:
        """True objects."""
        return int(np.count_nonzero(self.true_sizes[1:]))

    @property
    def num_predicted(self) -> int:
        """Predicted objects."""
        return int(np.count_nonzero(self.predicted_sizes[1:]))

    def matches(self, threshold: float) -> Numbers:
        """Match objects whose IoU reaches a threshold, each used once and as many as possible.

        Parameters
        ----------
        threshold : float
            As `check_threshold` returns it.

        Returns
        -------
        numpy.ndarray
            For each true number the predicted one, or 0.
        """
        good = self.iou >= threshold
        ones = np.ones(np.count_nonzero(good), dtype=np.int8)
        graph = sparse.csr_matrix((ones, (self.true[good], self.predicted[good])), self._shape)
        # At an IoU of exactly 0.5 two objects can claim the same one, hence a matching.
        partner: Numbers = maximum_bipartite_matching(graph, perm_type="column").astype(np.intp)
        return np.maximum(partner, 0)


def check_pair(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Labels, Labels]:
    """Refuse what are no label images of the same region; leave out what nobody annotated.

    Where the truth is -1, pixels do not count, and a predicted object that lies there by more than
    half, and elsewhere on no true object, is no mistake.

    Raises
    ------
    TypeError
        If an array does not hold whole numbers.
    ValueError
        If the shapes differ, an array has fewer than two axes, or a label is below -1.
    """
    pair = known_labels(truth, "truth"), known_labels(prediction, "prediction")
    for array, role in zip(pair, ("truth", "prediction"), strict=True):
        if array.ndim < 2:
            raise ValueError(
                f"The {role} has shape {array.shape}, but a label image has two or more axes."
            )
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"The truth has shape {pair[0].shape} and the prediction {pair[1].shape}. "
            "Give two label images of the same region."
            f"{explain_shapes(pair[1].shape, pair[0].shape)}"
        )
    return pair[0], _known_part(*pair, np.asarray(truth) < 0)


def _known_part(truth: Labels, prediction: Labels, unknown: npt.NDArray[np.bool_]) -> Labels:
    """Prediction in known pixels, without objects on no true one that lie mostly elsewhere."""
    if not unknown.any():
        return prediction
    nothing = np.zeros((), prediction.dtype)
    known = np.where(unknown, nothing, prediction)
    on_objects = np.isin(known, known[truth > 0])
    mostly = np.where(unknown, nothing, without_unknown(prediction, unknown))
    return np.where(on_objects, known, mostly)


def without_unknown(labels: Labels, unknown: npt.NDArray[np.bool_]) -> Labels:
    """Leave objects out of a prediction that lie mostly where nobody annotated."""
    if not unknown.any():
        return labels
    ids, numbers = number_labels(labels)
    sizes = np.bincount(numbers.ravel(), minlength=ids.size + 1)
    gone = np.bincount(numbers[unknown], minlength=ids.size + 1) > _UNKNOWN_SHARE * sizes
    return np.where(gone[numbers], np.zeros((), labels.dtype), labels)


def check_threshold(threshold: float) -> float:
    """Refuse a threshold that no IoU can mean, with a ValueError."""
    if not 0 < threshold <= 1:
        raise ValueError(f"The IoU threshold is {threshold}; it must be above 0 and at most 1.")
    return float(threshold)


def _without_border(numbers: npt.NDArray[np.int32], width: int) -> npt.NDArray[np.int32]:
    if width == 0:
        return numbers
    inner = np.zeros(numbers.shape[-2:], dtype=bool)
    inner[width:-width, width:-width] = True
    keep = np.ones(numbers.max(initial=0) + 1, dtype=bool)
    keep[numbers[..., ~inner]] = False
    return np.where(keep[numbers], numbers, 0)
