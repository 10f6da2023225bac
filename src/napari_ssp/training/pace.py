"""Pace of a training on a computer, and the batches and crops that fit a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.training.scored_images import SHARE, seconds_of_scoring

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Lengths of a crop: (Y, X) or (Z, Y, X).
Crop = tuple[int, ...]
#: With fewer steps hardly anything is learned.
FEWEST_STEPS = 100
#: Batches do not become smaller than this.
SMALLEST_BATCH = 2
#: Windows of a scored image overlap by a quarter along each axis.
_OVERLAP = 0.25
#: Times that people choose, in minutes.
_TIMES = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720)


@dataclass(frozen=True)
class Pace:
    """How fast a network learns on a computer.

    Attributes
    ----------
    step : float
        Seconds of a training step for each million pixels or voxels of its crops.
    look : float
        Seconds to predict a million pixels or voxels in one window, as scoring does.
    device, precision : str
        Where, and in which numbers.
    """

    step: float
    look: float
    device: str
    precision: str

    def steps(self, minutes: float, batch: int, crop: Sequence[int]) -> float:
        """Count the steps of a run, of whose time scoring takes its share."""
        return 60.0 * minutes * (1.0 - SHARE) / self._seconds(batch, crop)

    def steps_a_minute(self, batch: int, crop: Sequence[int]) -> float:
        """Count the steps of a minute of learning."""
        return 60.0 / self._seconds(batch, crop)

    def minutes_needed(self, batch: int, crop: Sequence[int]) -> int:
        """Choose the shortest round time in which something is learned."""
        wanted = FEWEST_STEPS * self._seconds(batch, crop) / 60.0 / (1.0 - SHARE)
        return next((n for n in _TIMES if n >= wanted), math.ceil(wanted / 60.0) * 60)

    def scoring(self, size: float, axes: int, minutes: float) -> float:
        """Seconds of one scoring of as many pixels or voxels as a run of so many minutes scores."""
        whole = self.look * size / 1e6 / (1.0 - _OVERLAP) ** axes
        return min(whole, seconds_of_scoring(minutes))

    def _seconds(self, batch: int, crop: Sequence[int]) -> float:
        return self.step * batch * math.prod(crop) / 1e6


@dataclass(frozen=True)
class Sides:
    """Sides that a crop may have along y and x.

    Attributes
    ----------
    smallest : int
        Smaller ones cut too many objects.
    multiple : int
        All are multiples of it.
    """

    smallest: int
    multiple: int

    def smaller(self, crop: Crop) -> Crop:
        """Halve a crop along y and x; along z all planes are needed."""
        return *crop[:-2], *(self._smaller(side) for side in crop[-2:])

    def _smaller(self, side: int) -> int:
        half = side // (2 * self.multiple) * self.multiple
        return min(side, max(self.smallest, half))


def fit_to_time(
    pace: Pace, minutes: float, batch: int, crop: Crop, sides: Sides
) -> tuple[int, Crop]:
    """Batch and crop at most as large as asked for, so that there are enough steps.

    Parameters
    ----------
    pace : Pace
        Of the computer.
    minutes : float
        Time of the run.
    batch : int
        Crops in a batch.
    crop : tuple of int
        Their lengths in pixels or voxels.
    sides : Sides
        Which lengths are possible.

    Returns
    -------
    tuple
        Batch and crop; the batch gives way first, since small crops cut objects.
    """
    while batch > SMALLEST_BATCH and pace.steps(minutes, batch, crop) < FEWEST_STEPS:
        batch = max(SMALLEST_BATCH, batch // 2)
    while sides.smaller(crop) != crop and pace.steps(minutes, batch, crop) < FEWEST_STEPS:
        crop = sides.smaller(crop)
    return batch, crop
