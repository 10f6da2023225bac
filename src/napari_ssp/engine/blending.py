"""Blend weights: how much each pixel of a window counts where windows overlap."""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]

#: Both originals blend with a standard deviation of an eighth of the window.
SIGMA_PER_LENGTH = 1 / 8
MEDIAR_FLOOR = 1e-3


def gaussian_window(shape: tuple[int, ...]) -> Map:
    """Blending map of RepMode: a Gaussian about pixel ``n // 2``, without a lower limit.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the window.

    Returns
    -------
    numpy.ndarray
        float32 of that shape: the product over the axes of
        ``exp(-(i - n // 2)**2 / (2 * (n / 8)**2))``; 1 at the centre.

    Raises
    ------
    ValueError
        If an axis has no pixels, or there is no axis.

    Notes
    -----
    Zhou et al., RepMode, 2023. It is not MONAI's map: another centre, and no floor.
    """
    return _product([_gaussian(n, n // 2) for n in _checked(shape)]).astype(np.float32)


def floored_gaussian_window(shape: tuple[int, ...]) -> Map:
    """Blending map of MEDIAR: a symmetric Gaussian, nowhere below 0.001.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the window.

    Returns
    -------
    numpy.ndarray
        float32 of that shape: the product over the axes of
        ``exp(-(i - (n - 1) / 2)**2 / (2 * (n / 8)**2))``, at least 0.001.

    Raises
    ------
    ValueError
        If an axis has no pixels, or there is no axis.

    Notes
    -----
    Equals MONAI's ``compute_importance_map(mode="gaussian", sigma_scale=0.125)``.
    """
    weights = _product([_gaussian(n, (n - 1) / 2) for n in _checked(shape)])
    return np.maximum(weights, MEDIAR_FLOOR).astype(np.float32)


def _gaussian(length: int, centre: float) -> npt.NDArray[np.float64]:
    distance = np.arange(length) - centre
    result: npt.NDArray[np.float64] = np.exp(-0.5 * (distance / (length * SIGMA_PER_LENGTH)) ** 2)
    return result


def _product(axes: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    return reduce(np.multiply.outer, axes)


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    if not shape or min(shape) < 1:
        raise ValueError(f"The window has shape {shape}; every axis needs at least one pixel.")
    return shape
