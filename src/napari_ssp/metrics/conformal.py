"""Conformal selection: objects that can be accepted with a guarantee on the share of wrong ones.

Split conformal p-values of a calibration set, followed by the procedure of Benjamini and Hochberg
(Jin and Candès, Selection by prediction with conformal p-values, JMLR 24, 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ConformalCalibration:
    """What a set of objects with known truth says of predicted errors; plain numbers.

    Attributes
    ----------
    count : int
        Objects of the set, at least 1.
    wrong : tuple of float
        Predicted errors of those that were wrong, ascending.
    """

    count: int
    wrong: tuple[float, ...]

    def __post_init__(self) -> None:
        errors = np.asarray(self.wrong, np.float64)
        if self.count < 1:
            raise ValueError(
                "The calibration has no objects. Calibrate on images whose truth is known and in "
                "which objects were found."
            )
        if not np.isfinite(errors).all() or (np.diff(errors) < 0).any():
            raise ValueError("The calibration's predicted errors must be ascending numbers.")
        if errors.size > self.count:
            raise ValueError(
                f"The calibration has {errors.size} wrong objects of {self.count}: one of the "
                "numbers is not right. Calibrate again."
            )

    def p_values(self, predicted: npt.ArrayLike) -> Values:
        """P-value of each object for the hypothesis that it is wrong.

        Parameters
        ----------
        predicted : array_like
            Predicted errors, (N,).

        Returns
        -------
        numpy.ndarray
            Float64 (N,): (1 + the wrong ones predicted to be no worse) / (1 + all).
        """
        below = np.searchsorted(np.asarray(self.wrong, np.float64), _checked(predicted), "right")
        return np.asarray((1.0 + below) / (1.0 + self.count), np.float64)

    def accept(self, predicted: npt.ArrayLike, wrong_share: float = 0.1) -> Flags:
        """Accept as many objects as can be with few wrong ones among them.

        Where these objects and those of the calibration set are exchangeable (drawn in the same
        way, none of them special), the expected share of wrong ones among the accepted is at most
        ``wrong_share``, whatever the predicted errors are worth.

        Parameters
        ----------
        predicted : array_like
            Predicted errors of all objects that are looked at together, (N,).
        wrong_share : float
            Largest expected share of wrong objects, above 0 and below 1.

        Returns
        -------
        numpy.ndarray
            Bool (N,). Of two objects the one with the lower predicted error is accepted first.

        Raises
        ------
        ValueError
            If the share is out of range, or the calibration has too few objects for it.
        """
        check_count(self.count, wrong_share)
        p_values = self.p_values(predicted)
        ranked = np.sort(p_values)
        steps = wrong_share * np.arange(1, ranked.size + 1) / max(ranked.size, 1)
        below = np.flatnonzero(ranked <= steps)
        limit = ranked[below[-1]] if below.size else -1.0
        return np.asarray(p_values <= limit)


def calibrate(predicted: npt.ArrayLike, wrong: npt.ArrayLike) -> ConformalCalibration:
    """Calibrate predicted errors on objects whose truth is known.

    Parameters
    ----------
    predicted : array_like
        Predicted errors, (N,).
    wrong : array_like of bool
        Whether each object is wrong, e.g. matches no true object at an IoU of 0.5; (N,).

    Returns
    -------
    ConformalCalibration

    Raises
    ------
    TypeError
        If ``wrong`` is not bool.
    ValueError
        If there are no objects, the lengths differ, or a number is NaN or infinite.
    """
    values, flags = _checked(predicted), np.asarray(wrong)
    if flags.dtype != np.bool_:
        raise TypeError(f"What is wrong has dtype {flags.dtype}, but bool is needed.")
    if values.shape != flags.shape:
        raise ValueError(
            f"There are {values.size} predicted errors, but {flags.size} objects are said to be "
            "right or wrong. Give one of both for each object."
        )
    return ConformalCalibration(values.size, tuple(np.sort(values[flags]).tolist()))


def needed_count(wrong_share: float) -> int:
    """Fewest objects of a calibration set with which any object can be accepted."""
    if not 0 < wrong_share < 1:
        raise ValueError(
            f"A share of {wrong_share:g} of wrong objects was asked for. Give one above 0 and "
            "below 1, e.g. 0.1."
        )
    return math.ceil(1 / wrong_share - 1 - 1e-9)


def check_count(count: int, wrong_share: float) -> None:
    """Refuse a calibration set of too few objects with a ValueError."""
    needed = needed_count(wrong_share)
    if count < needed:
        raise ValueError(
            f"The calibration set has {count} objects, but {needed} are needed at least to accept "
            f"any with at most {wrong_share:.0%} wrong; several hundred of many images are good. "
            "Calibrate on more images whose truth is known."
        )


def _checked(predicted: npt.ArrayLike) -> Values:
    values = np.asarray(predicted, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f"Predicted errors are one finite number for each object; these have shape "
            f"{values.shape} and {np.count_nonzero(~np.isfinite(values))} that are not finite."
        )
    return values
