"""Records of a run: metrics as CSV, events for TensorBoard, the best weights."""

from __future__ import annotations

import csv
import errno
import io
import math
import os
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO

import torch

from napari_ssp.atomic import atomic_path, replaced_file, write_text
from napari_ssp.training.run_files import CHECKPOINT_FILE, METRICS_FILE, PREVIOUS_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: What a run cannot go on without.
_ENTRIES = {"purpose", "network", "average", "optimiser", "random", "step", "seconds"}

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
    """Write tensors and plain values, as a whole or not at all.

    Raises
    ------
    OSError
        When the disk is full, or may not be written to.
    """
    with atomic_path(path, overwrite=True) as temporary:
        _write_state(temporary, state)


def _write_state(path: Path, state: dict[str, Any]) -> None:
    with path.open("wb") as file:
        noted: Any = _NotedFile(file)
        try:
            torch.save(state, noted)
        except RuntimeError:
            # What torch says when it cannot write is no sentence.
            raise noted.error or OSError(errno.EIO, os.strerror(errno.EIO)) from None


class _NotedFile:
    """Open file that remembers why it could not be written, which torch forgets."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self._file.flush()


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """Read what `save_state` wrote; None when there is nothing. Executes nothing.

    Raises
    ------
    ValueError
        When it is cut off, damaged, or asks to run code.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # damaged files fail in many ways
        asks = "GLOBAL" in str(error) or "WeightsUnpickler" in str(error)
        words = "asks for more than weights, so it was not loaded" if asks else "is damaged"
        raise ValueError(f"'{path}' {words}.") from error
    if not isinstance(state, dict):
        raise ValueError(f"'{path}' holds no state of a run.")
    return state


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write a run's checkpoint; the one before it is kept, for one may be damaged later."""
    path = folder / CHECKPOINT_FILE
    with replaced_file(path, kept=folder / PREVIOUS_FILE) as temporary:
        _write_state(temporary, state)


def load_checkpoint(
    folder: Path, device: torch.device | str = "cpu"
) -> tuple[dict[str, Any] | None, str]:
    """Read a run's last good checkpoint, and a sentence where that is not the last one.

    Raises
    ------
    ValueError
        When none of them can be read.
    """
    doubts = []
    for name in (CHECKPOINT_FILE, PREVIOUS_FILE):
        try:
            state = load_state(folder / name, device)
        except ValueError as error:
            doubts.append(str(error))
            continue
        if state is not None and _ENTRIES <= set(state):
            said = f"{doubts[0]} The run goes on from the one before it." if doubts else ""
            return state, said
        if state is not None:
            doubts.append(f"'{folder / name}' holds no state of a run.")
    if doubts:
        raise ValueError(f"{doubts[0]} There is no earlier one; train in another folder.")
    return None, ""


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
        with suppress(OSError):  # a full disk is said of the checkpoint
            self._writer.flush()

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
