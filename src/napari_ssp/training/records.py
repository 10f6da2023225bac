"""Records of a run: metrics as CSV, events for TensorBoard, the best weights."""

from __future__ import annotations

import csv
import io
import math
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from napari_ssp.atomic import atomic_path, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METRICS_FILE = "metrics.csv"
BEST_FILE = "best.pt"
CHECKPOINT_FILE = "checkpoint.pt"

Row = dict[str, float]


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``metrics.csv`` anew, in one go."""
    text = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / METRICS_FILE, text.getvalue())


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values, as a whole or not at all."""
    with atomic_path(path, overwrite=True) as temporary:
        torch.save(state, temporary)


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """Read what `save_state` wrote; None when there is nothing. Executes nothing."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def beats(row: Row, other: Row, metric: str, minimise: bool = False) -> bool:
    """Whether a row is better than another; one without the score is never better."""
    new, old = row.get(metric, math.nan), other.get(metric, math.nan)
    if math.isnan(new):
        return False
    return math.isnan(old) or (new < old if minimise else new > old)


class Events:
    """Rows for TensorBoard, where that is installed; one file for each start of a run.

    Parameters
    ----------
    folder : pathlib.Path
        The run's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def add(self, row: Row) -> None:
        """Write a row at once."""
        if find_spec("tensorboard") is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))  # type: ignore[no-untyped-call]
        for name, value in row.items():
            if name not in ("step", "minutes") and math.isfinite(value):
                self._writer.add_scalar(name, value, int(row["step"]))
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
