"""Two processes by the real launcher learn what one does."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import torch
from test_train_resume import _data

from napari_ssp.registry import load_model
from napari_ssp.training.records import load_state
from napari_ssp.training.run_files import CHECKPOINT_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


def test_processes_of_the_command_learn_together(
    call: Call, tmp_path: Path, tiny_model: Path
) -> None:
    # Statistics of the batch normalisation stay as they are, so both see the same numbers.
    words = ("train", "segmentation", "--data", _data(tmp_path / "data"), "--base", tiny_model)
    words += ("--trainable", "heads", "--steps", 3, "--batch-size", 4, "--crop", 32)
    words += ("--device", "cpu", "--precision", "float32", "--install", "never")
    two, one = tmp_path / "two", tmp_path / "one"
    command = [sys.executable, "-m", "napari_ssp.cli", *map(str, words), "-o", str(two)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--processes", "2"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Use it with --model") == 1, "the first one speaks for all"
    assert call(*words, "-o", one).exit_code == 0
    start = load_model(tiny_model).state_dict()
    runs = [load_state(folder / CHECKPOINT_FILE) for folder in (one, two)]
    alone, together = (run["network"] for run in runs if run is not None)
    moved = max(float((alone[k] - start[k]).abs().max()) for k in start)
    apart = max(float((alone[k] - together[k]).abs().max()) for k in start)
    assert moved > 1e-4
    assert apart < 0.01 * moved
    assert not torch.equal(alone["gradflow_head.3.weight"], start["gradflow_head.3.weight"])
