"""Contrast limits from a sample of the pixels, as a result may not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLANES = 16
_SIDE = 256  # about so many rows and columns of each plane
# About half of a fluorescence image is background.
_DARK, _BRIGHT = 40.0, 99.8


@dataclass(frozen=True)
class Contrast:
    """How a layer maps values to brightness.

    Attributes
    ----------
    limits : tuple of float
        Values that are shown black and full.
    span : tuple of float
        Least and largest value, for the slider.
    """

    limits: tuple[float, float]
    span: tuple[float, float]


def sample_contrast(array: NDArray[Any]) -> Contrast:
    """Limits that show structures on a dark background.

    Parameters
    ----------
    array : numpy.ndarray
        (Z, Y, X) or (Y, X); of a memory map only every so manieth row of a few planes is read.
    """
    sample = _sample(array)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return Contrast((0.0, 1.0), (0.0, 1.0))
    low, high = np.percentile(sample, (_DARK, _BRIGHT))
    least, largest = float(sample.min()), float(sample.max())
    if high <= low:
        low, high = least, largest if largest > least else least + 1.0
    return Contrast((float(low), float(high)), (min(least, float(low)), max(largest, float(high))))


def _sample(array: NDArray[Any]) -> NDArray[np.float64]:
    if array.ndim == 2:
        array = array[None]
    planes = np.unique(np.linspace(0, len(array) - 1, _PLANES).astype(int))
    rows, columns = (max(length // _SIDE, 1) for length in array.shape[1:])
    picked = [np.asarray(array[z, ::rows, ::columns], np.float64).ravel() for z in planes]
    return np.concatenate(picked)
