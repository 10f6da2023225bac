"""Names of a run's files; loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

METRICS_FILE = "metrics.csv"
BEST_FILE = "best.pt"
CHECKPOINT_FILE = "checkpoint.pt"
PREVIOUS_FILE = "checkpoint.previous.pt"


def has_checkpoint(folder: Path) -> bool:
    """Whether a run was stopped in a folder."""
    return any((folder / name).exists() for name in (CHECKPOINT_FILE, PREVIOUS_FILE))
