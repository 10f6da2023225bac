"""Grey levels to the unit interval, as MEDIAR does before its network sees a plane.

Percentiles 0 and 99.5 of the non-zero values of all channels together become 0 and 255, values are
cut to whole grey levels, and the levels are stretched to [0, 1]. A plane that does not fit into
memory is seen twice: once for its `GreyStatistics`, once to be brought to the range they found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[Any]

UPPER_PERCENTILE = 99.5
#: Values that are sorted at most; of more, so many are drawn.
MOST_SORTED = 2**24
_EXACT_IN_FLOAT32 = 2.0**24
_SAFE_IN_FLOAT32 = 1e30
# Half of the largest one: differences stay finite.
_SAFE_IN_FLOAT64 = 8e307


def normalise(plane: npt.ArrayLike, *others: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Bring a plane, or several channels of one field, to three channels in [0, 1].

    A grey plane is repeated, a second channel is followed by an empty third, and of more than three
    channels the first three count. NaN counts as 0, infinities as the largest or smallest finite
    value. A plane of one single value becomes 0.

    Parameters
    ----------
    plane : array, shape (Y, X) or (Y, X, C)
        Numbers of any integer or float type, or bool.
    *others : array, shape (Y, X)
        Further channels of a field whose first is ``plane``, cells first, then nuclei. Each has its
        own range, for no camera gives two channels the same; colours share one.

    Returns
    -------
    numpy.ndarray
        float32, shape (3, Y, X), values from 0 to 1.

    Raises
    ------
    TypeError
        If the values are neither numbers nor bool, or are complex.
    ValueError
        If the plane has another number of axes or no pixels, or the channels differ in shape.

    Notes
    -----
    Formula of MEDIAR (Lee, Kim, Kim & Yun, 2022). Where the original leaves a picture blank
    although it has two values, the full range of values is stretched instead.
    """
    planes = [np.asarray(values) for values in (plane, *others)]
    shapes = [values.shape for values in planes]
    if others and any(len(shape) != 2 or shape != shapes[0] for shape in shapes):
        raise ValueError(
            f"The channels have the shapes {', '.join(map(str, shapes))}; those of one field all "
            "have the same, (Y, X). Give each channel as a plane of its own."
        )
    ranges = [_whole_range(values) for values in planes]
    levels = [grey_levels(*pair) for pair in zip(planes, ranges, strict=True)]
    return unit_channels(np.concatenate(levels, axis=-1)[..., :3], *ranges)


@dataclass(frozen=True)
class GreyRange:
    """How the values of a plane become grey levels.

    Attributes
    ----------
    low, high : float
        Values that become the levels 0 and 255.
    least, most : float
        Smallest and largest value; their levels become 0 and 1.
    precision : numpy.dtype
        Float type that levels are computed in.
    """

    low: float
    high: float
    least: float
    most: float
    precision: np.dtype[Any]


class GreyStatistics:
    """Finds the grey range of a plane whose blocks are seen one by one.

    Exact for integers, which are counted, as long as those of more than 16 bits stay within 24, and
    for up to 2**24 values of other types. Of more values, 2**24 are drawn: the lower end stays
    exact, the upper one lies between the percentiles 99.495 and 99.505 (three standard errors).

    Parameters
    ----------
    num_values : int
        Values that all blocks have together, over all channels.
    most_sorted : int
        Values that are drawn at most.
    """

    def __init__(self, num_values: int, most_sorted: int = MOST_SORTED) -> None:
        self._share = min(1.0, most_sorted / max(num_values, 1))
        self._random = np.random.default_rng(0)
        self._dtype = np.dtype(np.uint8)
        # A grey plane counts once for each of the three channels, as in the original.
        self._times = 3
        self._counts = np.zeros(0, np.int64)
        self._counted = True
        self._drawn: list[Array] = []
        self._least, self._most, self._least_nonzero = np.inf, -np.inf, np.inf
        self._gaps = False

    def add(self, block: npt.ArrayLike) -> None:
        """Take a block (Y, X) or (Y, X, C) into account; all blocks have one dtype."""
        values = _checked(block)[..., :3]
        self._times, self._dtype = 3 if values.shape[-1] == 1 else 1, values.dtype
        # Drawn as well, in case that a later block goes beyond what can be counted.
        self._counted &= _is_counted(values.dtype) or (self._share < 1 and _can_be_counted(values))
        if self._counted:
            self._count(values)
        if not _is_counted(values.dtype):
            self._draw((values if values.dtype.kind == "f" else values.astype(np.float64)).ravel())

    def result(self) -> GreyRange:
        """Range of all blocks."""
        return self._by_counts() if self._counted else self._by_sorting()

    def _count(self, values: Array) -> None:
        counts = np.bincount((values.astype(np.intp) - _lowest(values.dtype)).ravel())
        self._counts = np.pad(self._counts, (0, max(counts.size - self._counts.size, 0)))
        self._counts[: counts.size] += counts

    def _draw(self, values: Array) -> None:
        finite = np.isfinite(values)
        seen = values if finite.all() else values[finite]
        self._gaps = self._gaps or bool(np.isnan(values).any())
        self._least = min(self._least, float(seen.min(initial=np.inf)))
        self._most = max(self._most, float(seen.max(initial=-np.inf)))
        if self._share < 1:
            nonzero = float(seen.min(initial=np.inf, where=seen != 0))
            self._least_nonzero = min(self._least_nonzero, nonzero)
            number = round(values.size * self._share)
            values = values[self._random.integers(0, values.size, number)]
        self._drawn.append(values)

    def _by_counts(self) -> GreyRange:
        first, single = _lowest(self._dtype), np.dtype(np.float32)
        values = np.arange(first, first + max(self._counts.size, 1), dtype=single)
        present = values[np.flatnonzero(self._counts)] if self._counts.size else values
        ranks = np.cumsum(np.where(values == 0, 0, self._counts * self._times))

        def value_at(rank: int) -> np.float32:
            return np.float32(values[np.searchsorted(ranks, rank, side="right")])

        least, most = float(present[0]), float(present[-1])
        low, high = _limits(value_at, int(ranks[-1])) or (least, most)
        return GreyRange(low, high, least, most, single)

    def _by_sorting(self) -> GreyRange:
        least, most = (self._least, self._most) if self._least <= self._most else (0.0, 0.0)
        precision = _precision(self._dtype, max(abs(least), abs(most)))
        values = _finite(np.concatenate(self._drawn), least, most, precision)
        if self._gaps:  # they count as 0
            least, most = min(least, 0.0), max(most, 0.0)
        least, most = np.clip([least, most], -_SAFE_IN_FLOAT64, _SAFE_IN_FLOAT64).tolist()
        nonzero, times = values[values != 0], self._times
        if nonzero.size:
            nonzero.partition(sorted({0, *(r // times for r in _ranks(nonzero.size * times)[:2])}))
            nonzero[0] = min(float(nonzero[0]), self._least_nonzero)
        limits = _limits(lambda rank: nonzero[rank // times], nonzero.size * times)
        low, high = limits or (least, most)
        return GreyRange(low, high, least, most, precision)


def normalise_block(block: npt.ArrayLike, grey: GreyRange) -> npt.NDArray[np.float32]:
    """Bring a block of a plane to what `normalise` makes of it within the whole plane.

    Parameters
    ----------
    block : array, shape (Y, X) or (Y, X, C)
        Of the plane's dtype.
    grey : GreyRange
        Of the whole plane.

    Returns
    -------
    numpy.ndarray
        float32, shape (3, Y, X), values from 0 to 1.
    """
    return unit_channels(grey_levels(block, grey), grey)


def _whole_range(plane: Array) -> GreyRange:
    seen = GreyStatistics(plane.size)
    seen.add(plane)
    return seen.result()


def grey_levels(block: npt.ArrayLike, grey: GreyRange) -> npt.NDArray[np.uint8]:
    """Levels 0 to 255 of a block's first three channels, (Y, X, C)."""
    values = _checked(block)[..., :3]
    if not _is_counted(values.dtype):
        least, most = grey.least, grey.most
        return _stretch(_finite(values, least, most, grey.precision), grey.low, grey.high)
    # One look-up per pixel instead of the arithmetic. A value lies outside only where the range is
    # that of a smaller level of the plane.
    first, last = int(grey.least), int(grey.most)
    table = np.arange(first, last + 1, dtype=np.float32)
    inside = np.clip(values.astype(np.intp), first, last)
    return _stretch(table, grey.low, grey.high)[inside - first]


def unit_channels(levels: npt.NDArray[np.uint8], *ranges: GreyRange) -> npt.NDArray[np.float32]:
    """Three channels in [0, 1], (3, Y, X), of levels (Y, X, C) with one range, or one for each."""
    tables = [_unit_table(grey) for grey in ranges]
    count = levels.shape[-1]
    result = np.zeros((3, *levels.shape[:2]), np.float32)
    for k in range(count):
        result[k] = tables[min(k, len(tables) - 1)][levels[..., k]]
    if count == 1:
        result[1:] = result[0]
    return result


def _unit_table(grey: GreyRange) -> npt.NDArray[np.float32]:
    """Value in [0, 1] of each of the 256 levels, those of the range's ends being 0 and 1."""
    ends = np.array([grey.least, grey.most], grey.precision)
    lowest, highest = (int(level) for level in _stretch(ends, grey.low, grey.high))
    return (np.arange(256, dtype=np.float32) - lowest) / np.float32(max(highest - lowest, 1))


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


def _is_counted(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iub" and dtype.itemsize <= 2


def _can_be_counted(values: Array) -> bool:
    """Whether a table of all values between the smallest and the largest is possible."""
    if values.dtype.kind not in "iub":
        return False
    first = _lowest(values.dtype)
    return first <= int(values.min()) and int(values.max()) < first + MOST_SORTED


def _lowest(dtype: np.dtype[Any]) -> int:
    """Value that is counted first."""
    return max(int(np.iinfo(dtype).min), -(MOST_SORTED // 2)) if dtype.kind == "i" else 0


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


def _precision(dtype: np.dtype[Any], largest: float) -> np.dtype[Any]:
    """Float type for values up to ``largest``: double where single would not do."""
    wide = dtype.itemsize > 2 and dtype != np.float32
    too_fine = wide and largest > _EXACT_IN_FLOAT32
    if too_fine or largest > _SAFE_IN_FLOAT32 or 0 < largest < 1 / _SAFE_IN_FLOAT32:
        return np.dtype(np.float64)
    return np.dtype(np.float32)


def _finite(values: Array, least: float, most: float, precision: np.dtype[Any]) -> Array:
    """Floats without NaN and infinity."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0.0, posinf=most, neginf=least)
    if precision == np.float64:
        values = np.clip(values.astype(precision), -_SAFE_IN_FLOAT64, _SAFE_IN_FLOAT64)
    return values.astype(precision, copy=False)


def _stretch(values: Array, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Put [low, high] on [0, 255] and cut the fraction, in the precision of the values."""
    if low == high:
        return np.zeros(values.shape, np.uint8)
    return ((np.clip(values, low, high) - low) / (high - low) * 255).astype(np.uint8)
