"""Gate of a run that may spoil a good network: held-out scores that must not fall."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.training.records import beats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.training.records import Row


@dataclass(frozen=True)
class Gate:
    """What must not become worse than with the best network so far, the first one included.

    Attributes
    ----------
    score : str
        Held-out score, such as ``"iou"``; the one that decides which weights are kept.
    calibration : str
        Error of the calibration on the same images, such as ``"ece"``; lower is better.
    slack : float
        By how much either may be worse, for scores of few images jump.
    minimise : bool
        Whether a lower score is better.
    """

    score: str
    calibration: str
    slack: float = 0.0
    minimise: bool = False

    def is_shut(self, rows: Sequence[Row]) -> bool:
        """Whether a network fell behind the best before it; the first row is the start."""
        best = rows[0] if rows else {}
        for row in rows[1:]:
            if self._falls(row, best):
                return True
            best = best if beats(best, row, self.score, self.minimise) else row
        return False

    def _falls(self, row: Row, best: Row) -> bool:
        sign = -1.0 if self.minimise else 1.0
        lost = sign * (best.get(self.score, math.nan) - row.get(self.score, math.nan))
        worse = row.get(self.calibration, math.nan) - best.get(self.calibration, math.nan)
        # What cannot be compared has fallen, too.
        return not (lost <= self.slack and worse <= self.slack)
