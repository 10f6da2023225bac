"""Scores of a label image against the truth: the challenge's F1 and cellpose's average precision.

Both count a prediction as right when its intersection over union (IoU) with a true object reaches a
threshold, each object being used once. That is a maximum matching in the graph of the pairs that
reach the threshold; only overlapping pairs can, so the graph is sparse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Labels = npt.NDArray[np.integer[Any]]

CHALLENGE_BORDER = 2
CHALLENGE_TILE = 2000
CHALLENGE_TILED_FROM = 25_000_000


@dataclass(frozen=True)
class MatchCounts:
    """How many objects were found, invented and missed at one IoU threshold.

    Attributes
    ----------
    true_positives, false_positives, false_negatives : int
        Matched objects, predicted objects without a match, true objects without a match.
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: MatchCounts) -> MatchCounts:
        return MatchCounts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """Share of the predicted objects that are right; 0 when nothing was predicted."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the true objects that were found; 0 when there are none."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when there is nothing to count."""
        twice = 2 * self.true_positives
        return _ratio(twice, twice + self.false_positives + self.false_negatives)

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN); nan when there is nothing to count, as in cellpose."""
        total = self.true_positives + self.false_positives + self.false_negatives
        return self.true_positives / total if total else float("nan")


def match_counts(
    truth: npt.ArrayLike, prediction: npt.ArrayLike, threshold: float = 0.5, border: int = 0
) -> MatchCounts:
    """Count matched, invented and missed objects in the whole image.

    Parameters
    ----------
    truth, prediction : array of int, same shape, two or more axes
        Label images, 0 is background; ids may have gaps.
    threshold : float
        IoU from which a pair counts as a match, above 0 and at most 1.
    border : int
        Objects that touch the outer ``border`` pixels of the last two axes are left out, on each
        side separately; 0 keeps all.

    Returns
    -------
    MatchCounts

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If the shapes differ, a label is negative, or the threshold is out of range.
    """
    pair = _checked_pair(truth, prediction)
    return _Overlap(*pair, border=border).counts(_checked_threshold(threshold))


def challenge_counts(
    truth: npt.ArrayLike, prediction: npt.ArrayLike, threshold: float = 0.5
) -> MatchCounts:
    """Count objects as the NeurIPS 2022 cell segmentation challenge does.

    Objects that touch the outer two pixels are left out on each side separately, so the prediction
    of a border cell that stays just inside the image counts as invented: that is the challenge's
    rule. From 25 megapixels on, tiles of 2000 pixels are scored, each with its own border.

    Parameters
    ----------
    truth, prediction : array of int, shape (Y, X)
        Label images, 0 is background; ids may have gaps.
    threshold : float
        IoU from which a pair counts as a match, above 0 and at most 1.

    Returns
    -------
    MatchCounts

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If the arrays are not 2D or differ in shape, or the threshold is out of range.
    """
    true_labels, predicted_labels = _checked_pair(truth, prediction)
    if true_labels.ndim != 2:
        raise ValueError(
            f"The challenge's F1 is defined for 2D label images, but these have shape "
            f"{true_labels.shape}. Score each plane alone, or use match_counts."
        )
    limit = _checked_threshold(threshold)
    if true_labels.size < CHALLENGE_TILED_FROM:
        return _Overlap(true_labels, predicted_labels, border=CHALLENGE_BORDER).counts(limit)
    total = MatchCounts()
    for tile in _challenge_tiles(true_labels.shape):
        # A tile without predictions still has missed cells; the original forgets them.
        pair = (_full_tile(true_labels[tile]), _full_tile(predicted_labels[tile]))
        total += _Overlap(*pair, border=CHALLENGE_BORDER).counts(limit)
    return total


def f1_score(truth: npt.ArrayLike, prediction: npt.ArrayLike, threshold: float = 0.5) -> float:
    """F1 at one IoU threshold, as the NeurIPS 2022 cell segmentation challenge.

    Parameters
    ----------
    truth, prediction : array of int, shape (Y, X)
        Label images, 0 is background; ids may have gaps.
    threshold : float
        IoU from which a pair counts as a match, above 0 and at most 1.

    Returns
    -------
    float
        0 to 1; 0 when both images are empty, as in the challenge.

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If the arrays are not 2D or differ in shape, or the threshold is out of range.

    See Also
    --------
    challenge_counts : the counts behind it, and the rules.
    """
    return challenge_counts(truth, prediction, threshold).f1


def average_precision(
    truth: npt.ArrayLike,
    prediction: npt.ArrayLike,
    thresholds: float | Sequence[float] = (0.5, 0.75, 0.9),
) -> npt.NDArray[np.float64]:
    """TP / (TP + FP + FN) at each IoU threshold, as cellpose; border objects count.

    Parameters
    ----------
    truth, prediction : array of int, same shape
        Label images, 0 is background; ids may have gaps.
    thresholds : float or sequence of float
        IoU from which a pair counts as a match, each above 0 and at most 1.

    Returns
    -------
    numpy.ndarray
        float64, one value per threshold; nan when both images are empty.

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If the shapes differ, a label is negative, or a threshold is out of range.
    """
    overlap = _Overlap(*_checked_pair(truth, prediction))
    limits = [_checked_threshold(value) for value in np.atleast_1d(thresholds)]
    return np.array([overlap.counts(limit).average_precision for limit in limits])


class _Overlap:
    """IoU of all overlapping pairs of two label images."""

    def __init__(self, truth: Labels, prediction: Labels, border: int = 0) -> None:
        rows, columns = (_without_border(_compact(x), border).ravel() for x in (truth, prediction))
        true_sizes = np.bincount(rows, minlength=1)
        predicted_sizes = np.bincount(columns, minlength=1)
        self.n_true = int(np.count_nonzero(true_sizes[1:]))
        self.n_predicted = int(np.count_nonzero(predicted_sizes[1:]))
        both = (rows > 0) & (columns > 0)
        ones = np.ones(np.count_nonzero(both), dtype=np.int64)
        shape = (true_sizes.size, predicted_sizes.size)
        shared = sparse.coo_matrix((ones, (rows[both], columns[both])), shape).tocsr().tocoo()
        self._pairs = (shared.row, shared.col)
        self._shape = shape
        union = true_sizes[shared.row] + predicted_sizes[shared.col] - shared.data
        self._iou = shared.data / union

    def counts(self, threshold: float) -> MatchCounts:
        good = self._iou >= threshold
        pairs = (self._pairs[0][good], self._pairs[1][good])
        ones = np.ones(np.count_nonzero(good), dtype=np.int8)
        graph = sparse.csr_matrix((ones, pairs), self._shape)
        # At an IoU of exactly 0.5 two objects can claim the same one, hence a matching.
        found = int(np.count_nonzero(maximum_bipartite_matching(graph, perm_type="column") >= 0))
        return MatchCounts(found, self.n_predicted - found, self.n_true - found)


def _compact(labels: Labels) -> npt.NDArray[np.intp]:
    """Renumber to 0..n without gaps, keeping 0 as the background."""
    if int(labels.max(initial=0)) <= 4 * labels.size:
        present = np.bincount(labels.ravel().astype(np.intp), minlength=1) > 0
        present[0] = False
        numbers = np.where(present, np.cumsum(present), 0)
        return numbers[labels.astype(np.intp)]
    ids, inverse = np.unique(labels, return_inverse=True)
    return np.asarray(inverse.reshape(labels.shape) + (0 if ids[0] == 0 else 1), dtype=np.intp)


def _without_border(labels: npt.NDArray[np.intp], width: int) -> npt.NDArray[np.intp]:
    if width == 0:
        return labels
    inner = np.zeros(labels.shape[-2:], dtype=bool)
    inner[width:-width, width:-width] = True
    keep = np.ones(labels.max(initial=0) + 1, dtype=bool)
    keep[labels[..., ~inner]] = False
    return np.where(keep[labels], labels, 0)


def _challenge_tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for y in range(0, shape[0], CHALLENGE_TILE):
        for x in range(0, shape[1], CHALLENGE_TILE):
            yield slice(y, y + CHALLENGE_TILE), slice(x, x + CHALLENGE_TILE)


def _full_tile(tile: Labels) -> Labels:
    """Pad the last tiles with background, so that the image's own far edges are not a border."""
    return np.pad(tile, [(0, CHALLENGE_TILE - n) for n in tile.shape])


def _checked_pair(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Labels, Labels]:
    pair = _checked_labels(truth, "truth"), _checked_labels(prediction, "prediction")
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"The truth has shape {pair[0].shape} and the prediction {pair[1].shape}. "
            "Give two label images of the same region."
        )
    return pair


def _checked_labels(labels: npt.ArrayLike, role: str) -> Labels:
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"The {role} has dtype {array.dtype}, but labels are integers, one number per object. "
            "Convert it, or number the objects of a mask first (scipy.ndimage.label)."
        )
    if array.ndim < 2:
        raise ValueError(
            f"The {role} has shape {array.shape}, but a label image has two or more axes."
        )
    if array.size and int(array.min()) < 0:
        raise ValueError(
            f"The {role} holds the negative label {int(array.min())}. "
            "Use 0 for the background and positive numbers for objects."
        )
    return array


def _checked_threshold(threshold: float) -> float:
    if not 0 < threshold <= 1:
        raise ValueError(f"The IoU threshold is {threshold}; it must be above 0 and at most 1.")
    return float(threshold)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
