"""Scores of a label image against the truth: the challenge's F1 and cellpose's average precision.

Both count a prediction as right when its intersection over union (IoU) with a true object reaches a
threshold, each object being used once. That is a maximum matching in the graph of the pairs that
reach the threshold; only overlapping pairs can, so the graph is sparse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.metrics.overlap import Overlap, check_pair, check_threshold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from napari_ssp.metrics.overlap import Labels

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

    @classmethod
    def of(cls, overlap: Overlap, threshold: float) -> MatchCounts:
        """Count the matches of two label images at one IoU threshold."""
        found = int(np.count_nonzero(overlap.matches(threshold)))
        return cls(found, overlap.num_predicted - found, overlap.num_true - found)

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
    pair = check_pair(truth, prediction)
    return MatchCounts.of(Overlap(*pair, border=border), check_threshold(threshold))


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
    true_labels, predicted_labels = check_pair(truth, prediction)
    if true_labels.ndim != 2:
        raise ValueError(
            f"The challenge's F1 is defined for 2D label images, but these have shape "
            f"{true_labels.shape}. Score each plane alone, or use match_counts."
        )
    limit = check_threshold(threshold)
    if true_labels.size < CHALLENGE_TILED_FROM:
        pair = (true_labels, predicted_labels)
        return MatchCounts.of(Overlap(*pair, border=CHALLENGE_BORDER), limit)
    total = MatchCounts()
    for tile in _challenge_tiles(true_labels.shape):
        # A tile without predictions still has missed cells; the original forgets them.
        pair = (_full_tile(true_labels[tile]), _full_tile(predicted_labels[tile]))
        total += MatchCounts.of(Overlap(*pair, border=CHALLENGE_BORDER), limit)
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
    overlap = Overlap(*check_pair(truth, prediction))
    limits = [check_threshold(value) for value in np.atleast_1d(thresholds)]
    return np.array([MatchCounts.of(overlap, limit).average_precision for limit in limits])


def _challenge_tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for y in range(0, shape[0], CHALLENGE_TILE):
        for x in range(0, shape[1], CHALLENGE_TILE):
            yield slice(y, y + CHALLENGE_TILE), slice(x, x + CHALLENGE_TILE)


def _full_tile(tile: Labels) -> Labels:
    """Pad the last tiles with background, so that the image's own far edges are not a border."""
    return np.pad(tile, [(0, CHALLENGE_TILE - n) for n in tile.shape])


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
