"""Grey levels to the unit interval, as MEDIAR does before its network sees a plane.

Percentiles 0 and 99.5 of the non-zero values of all channels together become 0 and 255, values are
cut to whole grey levels, and the levels are stretched to [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[Any]

UPPER_PERCENTILE = 99.5
_EXACT_IN_FLOAT32 = 2.0**24
_SAFE_IN_FLOAT32 = 1e30
_SAFE_IN_FLOAT64 = 1e300


def normalise(plane: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Bring a plane to three channels in [0, 1].

    A grey plane is repeated, a second channel is followed by an empty third, and of more than three
    channels the first three count. NaN counts as 0, infinities as the largest or smallest finite
    value. A plane of one single value becomes 0.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        Numbers of any integer or float type, or bool.

    Returns
    -------
    numpy.ndarray
        float32, shape (3, Y, X), values from 0 to 1.

    Raises
    ------
    TypeError
        If the values are neither numbers nor bool, or are complex.
    ValueError
        If the plane has another number of axes or no pixels.

    Notes
    -----
    Formula of MEDIAR (Lee, Kim, Kim & Yun, 2022). Where the original leaves a picture blank
    although it has two values, the full range of values is stretched instead.
    """
    values = _checked(plane)[..., :3]
    if values.dtype.kind in "iub" and values.dtype.itemsize <= 2:
        levels = _levels_by_table(values)
    else:
        levels = _levels_by_sorting(_finite(values))
    return _three_channels(_to_unit(levels))


def _checked(plane: npt.ArrayLike) -> Array:
    array = np.asarray(plane)
    if array.dtype.kind not in "iufb":
        raise TypeError(
            f"The plane has dtype {array.dtype}; a picture holds integers, floats or bool. "
            "Convert it first (the absolute value of complex numbers, for example)."
        )
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"The plane has shape {array.shape}; expected (Y, X) or (Y, X, C) with at least one "
            "pixel. Choose one plane of a stack and put its channels last."
        )
    return array[..., None] if array.ndim == 2 else array


def _levels_by_table(values: Array) -> npt.NDArray[np.uint8]:
    """Count the values of a small integer type once, then look every pixel up."""
    lowest = int(values.min())
    indices = values.astype(np.intp) - lowest
    counts = np.bincount(indices.ravel()) * _times_counted(values)
    table = np.arange(lowest, lowest + counts.size, dtype=np.float32)
    ranks = np.cumsum(np.where(table == 0, 0, counts))

    def value_at(rank: int) -> np.float32:
        return np.float32(table[np.searchsorted(ranks, rank, side="right")])

    limits = _limits(value_at, int(ranks[-1])) or (float(table[0]), float(table[-1]))
    return _stretch(table, *limits)[indices]


def _levels_by_sorting(values: Array) -> npt.NDArray[np.uint8]:
    times = _times_counted(values)
    nonzero = values[values != 0]
    ranks = sorted({0, *(rank // times for rank in _ranks(nonzero.size * times)[:2])})
    if nonzero.size:
        nonzero.partition(ranks)
    limits = _limits(lambda rank: nonzero[rank // times], nonzero.size * times)
    return _stretch(values, *(limits or (float(values.min()), float(values.max()))))


def _times_counted(values: Array) -> int:
    """Count a grey plane once for each of the three channels, as the original does."""
    return 3 if values.shape[-1] == 1 else 1


def _ranks(count: int) -> tuple[int, int, float]:
    """Ranks below and above the upper percentile, and the way from one to the other."""
    position = max(count - 1, 0) * (UPPER_PERCENTILE / 100)
    below = int(position)
    return below, min(below + 1, max(count - 1, 0)), position - below


def _limits(value_at: Callable[[int], Any], count: int) -> tuple[float, float] | None:
    """Percentiles 0 and 99.5 as numpy.percentile has them, or None where they do not differ."""
    if count == 0:
        return None
    below, above, weight = _ranks(count)
    start, end = value_at(below), value_at(above)
    step = float(end - start)
    high = float(end) - step * (1 - weight) if weight >= 0.5 else float(start) + step * weight
    low = float(value_at(0))
    return (low, high) if low < high else None


def _finite(values: Array) -> Array:
    """Floats without NaN and infinity, in double precision where single would not do."""
    floats = values if values.dtype.kind == "f" else values.astype(np.float64)
    finite = np.isfinite(floats)
    if not finite.all():
        inside = floats[finite] if finite.any() else np.zeros(1)
        floats = np.nan_to_num(floats, nan=0.0, posinf=inside.max(), neginf=inside.min())
    largest = float(np.abs(floats).max())
    wide = values.dtype.itemsize > 2 and values.dtype != np.float32
    too_fine = wide and largest > _EXACT_IN_FLOAT32
    if too_fine or largest > _SAFE_IN_FLOAT32 or 0 < largest < 1 / _SAFE_IN_FLOAT32:
        return np.clip(floats.astype(np.float64), -_SAFE_IN_FLOAT64, _SAFE_IN_FLOAT64)
    return floats.astype(np.float32, copy=False)


def _stretch(values: Array, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Put [low, high] on [0, 255] and cut the fraction, in the precision of the values."""
    if low == high:
        return np.zeros(values.shape, np.uint8)
    return ((np.clip(values, low, high) - low) / (high - low) * 255).astype(np.uint8)


def _to_unit(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    lowest, highest = int(levels.min()), int(levels.max())
    table = (np.arange(256, dtype=np.float32) - lowest) / np.float32(max(highest - lowest, 1))
    return np.moveaxis(table[levels], -1, 0)


def _three_channels(channels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    result = np.zeros((3, *channels.shape[1:]), np.float32)
    result[: 3 if len(channels) == 1 else len(channels)] = channels
    return result
