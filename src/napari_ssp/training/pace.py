"""Pace of a training on a computer, and the batches and crops that fit a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_ssp.training.scored_images import SHARE

#: With fewer steps hardly anything is learned.
FEWEST_STEPS = 100
#: Batches and crops do not become smaller than this.
SMALLEST_BATCH, SMALLEST_CROP = 2, 128
#: Times that people choose, in minutes.
_TIMES = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720)


@dataclass(frozen=True)
class Pace:
    """How fast a network learns on a computer.

    Attributes
    ----------
    step : float
        Seconds of a training step for each megapixel of its crops.
    look : float
        Seconds to predict a megapixel, as scoring does.
    device, precision : str
        Where, and in which numbers.
    """

    step: float
    look: float
    device: str
    precision: str

    def steps(self, minutes: float, batch: int, crop: int) -> float:
        """Count the steps of a run, of whose time scoring takes its share."""
        return 60.0 * minutes * (1.0 - SHARE) / self._seconds(batch, crop)

    def steps_a_minute(self, batch: int, crop: int) -> float:
        """Count the steps of a minute of learning."""
        return 60.0 / self._seconds(batch, crop)

    def minutes_needed(self, batch: int, crop: int) -> int:
        """Choose the shortest round time in which something is learned."""
        wanted = FEWEST_STEPS * self._seconds(batch, crop) / 60.0 / (1.0 - SHARE)
        return next((n for n in _TIMES if n >= wanted), math.ceil(wanted / 60.0) * 60)

    def _seconds(self, batch: int, crop: int) -> float:
        return self.step * batch * crop**2 / 1e6


def fit_to_time(pace: Pace, minutes: float, batch: int, crop: int) -> tuple[int, int]:
    """Batch and crop at most as large as asked for, so that there are enough steps.

    Parameters
    ----------
    pace : Pace
        Of the computer.
    minutes : float
        Time of the run.
    batch, crop : int
        Crops in a batch, and their side in pixels.

    Returns
    -------
    tuple of int
        Batch and crop; the batch gives way first, since small crops cut objects.
    """
    while batch > SMALLEST_BATCH and pace.steps(minutes, batch, crop) < FEWEST_STEPS:
        batch = max(SMALLEST_BATCH, batch // 2)
    while crop > SMALLEST_CROP and pace.steps(minutes, batch, crop) < FEWEST_STEPS:
        crop = max(SMALLEST_CROP, crop // 64 * 32)
    return batch, crop
