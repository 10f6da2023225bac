"""Estimate of how long a job still takes, from how long its parts took so far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Progress

# Before this many seconds the estimate jumps about.
_SETTLE = 1.0


class TimeLeft:
    """Estimates the time left of a job and words its progress.

    The first part of a stage is left out: it is slower, since memory is claimed and kernels are
    chosen meanwhile. Of the others the mean counts, for some of them may be slow each time.

    Parameters
    ----------
    clock : callable
        Seconds that only go up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start: tuple[float, float] | None = None
        self._is_warm = False
        self._stage = ""
        self._best = 0.0

    def describe(self, progress: Progress) -> str:
        """One line for the user: "windows, about 12 s left"."""
        left = self.seconds(progress) if progress.total > 1 else None
        if left is None or left <= 0:
            return f"{progress.stage} …"
        return f"{progress.stage}, about {duration(left)} left"

    def seconds(self, progress: Progress) -> float | None:
        """Seconds left, or None while that cannot be told."""
        fraction, now = progress.fraction, self._clock()
        if fraction is None:
            return None
        is_new = progress.stage != self._stage and self._best >= 1.0
        self._stage = progress.stage
        if self._start is None or is_new:  # what was counted before is done
            self._start, self._best, self._is_warm = (now, fraction), fraction, False
        # Some stages count in larger steps, so the fraction may seem to fall back.
        self._best = max(self._best, fraction)
        if not self._is_warm and self._best > self._start[1]:
            self._start, self._is_warm = (now, self._best), True
        elapsed, gained = now - self._start[0], self._best - self._start[1]
        if elapsed < _SETTLE or gained <= 0:
            return None
        return elapsed / gained * (1.0 - self._best)


def duration(seconds: float) -> str:
    """Words for a time that is estimated."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
