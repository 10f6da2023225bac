"""Calibration of probabilities: reliability table, expected and maximum calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Sums = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

#: Bins of the system of Knowledge Expansion via Error Distribution Prediction.
BINS = 15


@dataclass(frozen=True, eq=False)
class ReliabilityTable:
    """How often something is true where it was given a probability, bin by bin.

    Tables of several images are added, so that the pixels of all of them count together.

    Attributes
    ----------
    counts : numpy.ndarray
        Int64 (bins,), values in each of the bins of equal width from 0 to 1.
    positives : numpy.ndarray
        Int64 (bins,), how many of these were true.
    sums : numpy.ndarray
        Float64 (bins,), sum of their probabilities.
    """

    counts: Counts
    positives: Counts
    sums: Sums

    def __add__(self, other: ReliabilityTable) -> ReliabilityTable:
        if self.counts.size != other.counts.size:
            raise ValueError(
                f"One table has {self.counts.size} bins and the other {other.counts.size}. "
                "Make both with the same number of bins."
            )
        return ReliabilityTable(
            self.counts + other.counts, self.positives + other.positives, self.sums + other.sums
        )

    @property
    def edges(self) -> Sums:
        """Float64 (bins + 1,): a bin holds its lower edge; the last one holds 1, too."""
        return np.linspace(0.0, 1.0, self.counts.size + 1)

    @property
    def confidence(self) -> Sums:
        """Mean probability of each bin; nan where it is empty."""
        return _ratio(self.sums, self.counts)

    @property
    def frequency(self) -> Sums:
        """Share of each bin that was true; nan where it is empty."""
        return _ratio(self.positives, self.counts)

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence and frequency over all values; nan without any."""
        total = int(self.counts.sum())
        return float(np.abs(self.sums - self.positives).sum() / total) if total else float("nan")

    @property
    def maximum_calibration_error(self) -> float:
        """Distance of confidence and frequency in the worst bin; nan without any value."""
        filled = self.counts > 0
        gaps = np.abs(self.sums - self.positives)[filled] / self.counts[filled]
        return float(gaps.max()) if gaps.size else float("nan")


def reliability_table(
    probability: npt.ArrayLike, positive: npt.ArrayLike, bins: int = BINS
) -> ReliabilityTable:
    """Compare probabilities with what was true (Guo et al., ICML 2017, section 2).

    The confidence is the probability of the positive class, as in the system of Knowledge Expansion
    via Error Distribution Prediction; unlike there, a probability of exactly 1 counts.

    Parameters
    ----------
    probability : array_like
        From 0 to 1; any shape.
    positive : array_like of bool
        What was true, of the same shape.
    bins : int
        Bins of equal width.

    Returns
    -------
    ReliabilityTable

    Raises
    ------
    TypeError
        If ``positive`` is not bool.
    ValueError
        If the shapes differ, a probability is not from 0 to 1, or there is no bin.
    """
    values, true = _checked(probability, positive)
    if bins < 1:
        raise ValueError(f"{bins} bins were asked for; give 1 or more.")
    edges = np.linspace(0.0, 1.0, bins + 1)
    places = np.minimum(np.searchsorted(edges, values, side="right") - 1, bins - 1)
    sums = np.bincount(places, weights=values, minlength=bins).astype(np.float64)
    counts, positives = (np.bincount(x, minlength=bins) for x in (places, places[true]))
    return ReliabilityTable(counts, positives, sums)


def _checked(
    probability: npt.ArrayLike, positive: npt.ArrayLike
) -> tuple[Sums, npt.NDArray[np.bool_]]:
    values, true = np.asarray(probability, np.float64), np.asarray(positive)
    if true.dtype != np.bool_:
        raise TypeError(f"What was true has dtype {true.dtype}, but bool is needed. Compare first.")
    if values.shape != true.shape:
        raise ValueError(
            f"The probabilities have shape {values.shape} and what was true {true.shape}. "
            "Give two arrays of the same pixels or objects."
        )
    inside = (values >= 0) & (values <= 1)
    if not inside.all():
        raise ValueError(
            f"{np.count_nonzero(~inside)} of {values.size} values are no probabilities from 0 to "
            f"1; one is {values[~inside][0]:g}. Put a network's logits through the sigmoid first."
        )
    return values.ravel(), true.ravel()


def _ratio(part: npt.NDArray[np.number], whole: Counts) -> Sums:
    ratio = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
