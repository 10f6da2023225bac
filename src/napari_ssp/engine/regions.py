"""Blocks of planes that show more than noise: few, where cells cover little of a large field.

The upper percentile of such a field lies in its noise or in the dim edges of its cells, which would
all saturate. Of each block three numbers are kept, so memory grows by a thousandth of the pixels,
and a plane may be seen in bands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_ssp.engine.normalise import UPPER_PERCENTILE, GreyRange, GreyStatistics

#: Side of a block, in pixels: some nuclei wide, so that one of them fills far more than 0.5 %.
BLOCK = 64
#: Standard deviations above the background from which values are no noise.
_ABOVE_NOISE = 6.0
#: Share of the blocks that show only noise in a field with few cells.
_MOSTLY_EMPTY = 0.75
#: Share of the pixels above noise in such a field: of these, the percentile leaves out a third.
_LITTLE = 0.015
#: Pixels darker than noise, for each that is brighter, from which light is transmitted.
_SHADED = 0.1
#: What lies above the background must be this many times as bright as the upper percentile.
_FAR = 1.5
#: Of the blocks that show something, what is this many times as bright as the percentile is debris.
_DEBRIS, _USUAL = 3.0, 75
#: Median of the absolute difference of two normal values, in standard deviations.
_MEDIAN_DIFFERENCE = 0.6745 * np.sqrt(2.0)
#: Smallest noise of whole numbers, in steps: rounding hides less.
_ROUNDING = 0.5
_LARGEST = 1e30


@dataclass(frozen=True)
class Background:
    """Grey values of what lies between the cells.

    Attributes
    ----------
    level : float
        Median of the blocks' medians.
    noise : float
        Standard deviation of a pixel, from differences of neighbours.
    """

    level: float
    noise: float

    @property
    def bottom(self) -> float:
        """Smallest value that may be noise."""
        return self.level - _ABOVE_NOISE * self.noise

    @property
    def top(self) -> float:
        """Largest value that may be noise."""
        return self.level + _ABOVE_NOISE * self.noise


class BlockStatistics:
    """Finds the blocks of planes that show more than noise; asked once all bands were seen.

    Single bright pixels, rows and columns show nothing: of each four neighbours the darkest counts.
    """

    def __init__(self) -> None:
        self._bands: list[npt.NDArray[np.float32]] = []

    def add(self, band: npt.ArrayLike) -> None:
        """Take a band (Y, X) or (Y, X, C) into account."""
        values = np.asarray(band)
        whole_numbers = values.dtype.kind != "f"
        values = _plain(values[..., None] if values.ndim == 2 else values[..., :3])
        rows, columns = (_edges(n) for n in values.shape[:2])
        found = np.empty((3, len(rows) - 1, len(columns) - 1), np.float32)
        for i, (top, bottom) in enumerate(pairwise(rows)):
            for j, (left, right) in enumerate(pairwise(columns)):
                found[:, i, j] = _describe(values[top:bottom, left:right], whole_numbers)
        self._bands.append(found)

    @cached_property
    def background(self) -> Background:
        """Level and noise between the cells, where these cover less than half of the blocks."""
        level, noise, _ = self._all
        if not level.size:
            return Background(0.0, 0.0)
        return Background(float(np.median(level)), float(np.median(noise)))

    @property
    def few_shown(self) -> bool:
        """Whether some blocks show more than noise, and most do not."""
        uppers = self._all[2]
        shown = np.count_nonzero(uppers > self.background.top)
        return bool(0 < shown <= (1 - _MOSTLY_EMPTY) * uppers.size)

    @property
    def brightest(self) -> float:
        """Largest value that is not far beyond what the blocks show: debris is."""
        uppers, level = self._all[2], self.background.level
        shown = uppers[uppers > self.background.top]
        if not shown.size:
            return level
        usual = float(np.percentile(shown, _USUAL, method="lower"))
        return level + _DEBRIS * (usual - level)

    def shown(self, band: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
        """Band that was seen as number ``index``, with 0 where there is only noise."""
        uppers = self._bands[index][2]
        mask = uppers > self.background.top
        rows, columns = (np.diff(_edges(n)) for n in band.shape[:2])
        pixels = mask.repeat(rows, axis=0).repeat(columns, axis=1)
        kept: npt.NDArray[Any] = np.where(
            pixels.reshape(pixels.shape + (1,) * (band.ndim - 2)), band, band.dtype.type(0)
        )
        return kept

    @cached_property
    def _all(self) -> npt.NDArray[np.float32]:
        """Level, noise and upper end of all blocks but those without a value, (3, N)."""
        joined = np.concatenate([found.reshape(3, -1) for found in self._bands], axis=1)
        return joined[:, joined.any(axis=0)]


class ShownStatistics:
    """Finds the grey range of what blocks of planes show, seen once more.

    Parameters
    ----------
    blocks : BlockStatistics
        That have seen all bands.
    num_values : int
        Values that all bands have together, over all channels.
    """

    def __init__(self, blocks: BlockStatistics, num_values: int) -> None:
        self._blocks, self._num_values = blocks, num_values
        self._seen, self._covered, self._shaded = GreyStatistics(num_values), 0, 0

    def add(self, band: npt.NDArray[Any], index: int) -> None:
        """Take a band into account that was seen as number ``index``."""
        shown = self._blocks.shown(band, index)
        self._seen.add(shown)
        background, present = self._blocks.background, shown != 0
        self._covered += int(np.count_nonzero(present & (shown > background.top)))
        self._shaded += int(np.count_nonzero(present & (shown < background.bottom)))

    def result(self, whole: GreyRange) -> tuple[GreyRange, bool]:
        """Range of the whole planes with the upper end of what is shown; whether that is little.

        It is little where most of it would have one grey value by the range of whole planes. Cells
        in transmitted light have shadows as well: their edges are bright, not they.
        """
        level = self._blocks.background.level
        high = min(self._seen.result().high, self._blocks.brightest)
        little = self._blocks.few_shown and self._covered <= _LITTLE * self._num_values
        little &= self._shaded <= _SHADED * self._covered
        is_far = high - level >= _FAR * (whole.high - level)
        return replace(whole, high=max(high, whole.high)), little and is_far


def _edges(length: int) -> list[int]:
    """Cut an axis into blocks: their ends; none is shorter than `BLOCK` where there are several."""
    count = max(1, length // BLOCK)
    return [round(k * length / count) for k in range(count + 1)]


def _plain(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Float32 without NaN and infinity; enough to tell signal from noise."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        values = np.clip(values, -_LARGEST, _LARGEST) if values.dtype.itemsize > 4 else values
    return values.astype(np.float32)


def _describe(block: npt.NDArray[Any], whole_numbers: bool) -> tuple[float, float, float]:
    """Level, noise and upper end of a block; all 0 where it holds nothing."""
    if not block.any():
        return 0.0, 0.0, 0.0
    steps = np.abs(np.diff(block, axis=1))
    noise = float(np.median(steps)) / _MEDIAN_DIFFERENCE if steps.size else 0.0
    darkest = np.minimum(block[:-1], block[1:]) if block.shape[0] > 1 else block
    darkest = np.minimum(darkest[:, :-1], darkest[:, 1:]) if block.shape[1] > 1 else darkest
    upper = float(np.percentile(darkest, UPPER_PERCENTILE))
    return float(np.median(block)), max(noise, _ROUNDING if whole_numbers else 0.0), upper
