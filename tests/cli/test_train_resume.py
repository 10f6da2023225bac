from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import tifffile
import torch

from napari_ssp.training.records import load_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

STEPS = 8
SMALL = ("--crop", 32, "--batch-size", 2, "--decoder-channels", "8,8,8,8", "--pab-channels", 8)


def _data(folder: Path) -> Path:
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    labels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((10, 10), int))
    labels = np.pad(np.where(np.indices((40, 40)).min(0) % 10 < 2, 0, labels), 12)
    for k in range(4):
        image = np.random.default_rng(k).integers(0, 60, labels.shape) + 150 * (labels > 0)
        tifffile.imwrite(folder / "images" / f"{k}.tif", image.astype(np.uint8))
        tifffile.imwrite(folder / "labels" / f"{k}_label.tif", labels.astype(np.uint16))
    return folder


def test_a_killed_run_ends_as_an_unbroken_one_to_the_bit(
    call: Call, tmp_path: Path, job_threads: int
) -> None:
    words = ("train", "segmentation", "--data", _data(tmp_path / "data"), "--steps", STEPS, *SMALL)
    words += ("--device", "cpu", "--install", "never")
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    command = [sys.executable, "-m", "napari_ssp.cli", *map(str, words), "-o", str(broken)]
    environment = os.environ | {"OMP_NUM_THREADS": str(job_threads)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (broken / "checkpoint.pt").exists():
        time.sleep(0.005)
    process.kill()
    assert process.wait() != 0, "it ended before it was killed"
    state = load_state(broken / "checkpoint.pt")
    assert state is not None
    assert 0 < state["step"] < STEPS

    assert call("train", "segmentation", "--resume", "-o", broken).exit_code == 0
    assert call(*words, "-o", whole).exit_code == 0
    for name in ("checkpoint.pt", "best.pt"):
        one, other = (load_state(folder / name) for folder in (broken, whole))
        assert one is not None and other is not None
        weights = "network" if name == "checkpoint.pt" else "weights"
        for key, value in one[weights].items():
            assert torch.equal(value, other[weights][key]), (name, key)
    assert (broken / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()
    tables = []
    for folder in (broken, whole):
        with (folder / "metrics.csv").open(newline="") as file:
            tables.append([{**row, "minutes": ""} for row in csv.DictReader(file)])
    assert tables[0] == tables[1]


def test_configurations_and_options_on_top(call: Call, tmp_path: Path) -> None:
    data, run = _data(tmp_path / "data"), tmp_path / "run"
    config = tmp_path / "mine.json"
    config.write_text('{"crop": 32, "batch_size": 2, "name": "from-file", "steps": 3}')
    words = ("train", "segmentation", "--data", data, "-o", run, "--config", config, *SMALL[4:])
    result = call(*words, "--steps", 1, "--install", "never")
    assert result.exit_code == 0, result.output
    assert load_state(run / "checkpoint.pt")["step"] == 1  # type: ignore[index]
    assert '"name": "from-file"' in (run / "request.json").read_text()
    result = call("train", "finish", run)
    assert result.exit_code == 0, result.output
    assert "not installed" in result.stderr


def test_bad_ways_to_go_on_are_refused(call: Call, tmp_path: Path) -> None:
    result = call("train", "segmentation", "--resume", "-o", tmp_path)
    assert result.exit_code == 2
    assert "no request.json" in result.stderr
    result = call("train", "segmentation", "--config", "nothing", "-o", tmp_path)
    assert result.exit_code == 2
    assert "mediar-phase1" in result.stderr
    result = call("train", "segmentation", "-o", tmp_path)
    assert result.exit_code == 2
    assert "--data" in result.stderr
