"""Ranking by a score: how well it finds what is wrong, and how it goes with the true error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]


def roc_auc(score: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Area under the receiver operating characteristic (AUROC).

    It is the chance that something positive has a higher score than something negative, equal
    scores counting half (Hanley and McNeil, Radiology 143, 1982).

    Parameters
    ----------
    score : array_like
        Finite numbers, such as predicted errors; any shape.
    positive : array_like of bool
        Whether it was wrong, of the same shape.

    Returns
    -------
    float
        From 0 to 1; nan where all or none are positive.

    Raises
    ------
    TypeError
        If ``positive`` is not bool.
    ValueError
        If the shapes differ, or a score is NaN or infinite.
    """
    scores, wrong = _checked_flags(score, positive)
    count = int(np.count_nonzero(wrong))
    pairs = count * (wrong.size - count)
    if not pairs:
        return float("nan")
    ranks = _ranks(scores)[wrong].sum()
    return float((ranks - count * (count + 1) / 2) / pairs)


def pr_auc(score: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Area under the precision-recall curve, as the sum of its steps: average precision.

    Each distinct score is a threshold; the precision there counts by the recall it adds. A score
    that tells nothing has the share of positives.

    Parameters
    ----------
    score, positive : array_like
        As of `roc_auc`.

    Returns
    -------
    float
        From 0 to 1; nan where none are positive.

    Raises
    ------
    TypeError, ValueError
        As of `roc_auc`.
    """
    scores, wrong = _checked_flags(score, positive)
    if not wrong.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    found = np.cumsum(wrong[order])[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / found[-1])


def pearson(predicted: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Pearson's correlation of predicted and true errors.

    Parameters
    ----------
    predicted, true : array_like
        Finite numbers of images, objects or pixels; of the same shape.

    Returns
    -------
    float
        From -1 to 1; nan for fewer than two, or if either has one single value.

    Raises
    ------
    ValueError
        If the shapes differ, or a number is NaN or infinite.
    """
    pair = _checked_pair(predicted, true)
    return float(np.corrcoef(*pair)[0, 1]) if _vary(*pair) else float("nan")


def spearman(predicted: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Spearman's rank correlation; arguments, result and errors as of `pearson`."""
    first, second = _checked_pair(predicted, true)
    return pearson(_ranks(first), _ranks(second))


def _ranks(values: Values) -> Values:
    from scipy.stats import rankdata  # takes half a second to import

    ranks: Values = rankdata(values)
    return ranks


def _vary(*arrays: Values) -> bool:
    return all(array.size > 1 and np.ptp(array) > 0 for array in arrays)


def _checked_flags(score: npt.ArrayLike, positive: npt.ArrayLike) -> tuple[Values, Flags]:
    flags = np.asarray(positive)
    if flags.dtype != np.bool_:
        raise TypeError(f"What is positive has dtype {flags.dtype}, but bool is needed.")
    scores, _ = _checked_pair(score, flags)
    return scores, flags.ravel()


def _checked_pair(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Values, Values]:
    pair = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"What was predicted has shape {pair[0].shape} and what is true {pair[1].shape}. "
            "Give two arrays of the same images, objects or pixels."
        )
    wrong = sum(int(np.count_nonzero(~np.isfinite(array))) for array in pair)
    if wrong:
        raise ValueError(f"{wrong} numbers are NaN or infinite. Leave these images or objects out.")
    return pair[0].ravel(), pair[1].ravel()
