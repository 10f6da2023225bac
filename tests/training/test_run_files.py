"""Files of a run on a full disk, and checkpoints that are damaged or hostile."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from napari_ssp.training.loop import LoopSettings, TrainingRun
from napari_ssp.training.records import load_checkpoint
from napari_ssp.training.run_files import BEST_FILE, CHECKPOINT_FILE, PREVIOUS_FILE, has_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


class _Hostile:
    def __reduce__(self) -> Any:
        return print, ("executed",)


def _start(folder: Path, steps: int = 4) -> TrainingRun:
    torch.manual_seed(0)
    settings = LoopSettings(steps=steps, minutes=60)
    return TrainingRun(nn.Conv2d(1, 1, 1), lambda y, t: (y - t).square().mean(), settings, folder)


def _stopped(folder: Path) -> list[int]:
    """Save a run after one step and after another; the steps that its checkpoints have."""
    run = _start(folder)
    x = torch.ones(1, 1, 4, 4)
    for _ in range(2):
        run.learn(((x,), (2 * x,)))
        run.save()
    found = [torch.load(folder / name)["step"] for name in (PREVIOUS_FILE, CHECKPOINT_FILE)]
    return [int(step) for step in found]


DAMAGE = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "hostile": lambda data: pickle.dumps(_Hostile()),
    "other": lambda data: b"once upon a time",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_leaves_the_one_before_it(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _stopped(tmp_path) == [1, 2]
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    run = _start(tmp_path)
    assert run.resume()
    assert run.step == 1
    assert "checkpoint.pt'" in run.doubt and "from the one before it" in run.doubt
    (tmp_path / PREVIOUS_FILE).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"checkpoint\.pt' .*train in another folder"):
        _start(tmp_path).resume()
    assert capsys.readouterr().out == ""  # nothing was executed


def test_a_checkpoint_that_is_gone_leaves_the_one_before_it(tmp_path: Path) -> None:
    _stopped(tmp_path)
    (tmp_path / CHECKPOINT_FILE).unlink()  # as between two renames
    assert has_checkpoint(tmp_path)
    state, doubt = load_checkpoint(tmp_path)
    assert state is not None and (state["step"], doubt) == (1, "")


def test_damaged_best_weights_do_not_end_a_run(tmp_path: Path) -> None:
    _stopped(tmp_path)
    (tmp_path / BEST_FILE).write_bytes(b"x")
    run = _start(tmp_path)
    assert run.resume() and run.best == {}
    assert "best.pt" in run.doubt
    run.winner()


FULL = """
import resource, sys
from pathlib import Path
import torch
from safetensors.torch import save
from napari_ssp.training.records import save_checkpoint, save_state
from napari_ssp.registry import ModelCard, save_model
from napari_ssp.registry.model_archive import export_steps
from napari_ssp.registry.exporting.bioimage import export_bioimage_steps
from napari_ssp.registry.exporting.onnx import export_onnx_steps
from napari_ssp.progress import run
folder, model = map(Path, sys.argv[1:])
state = {"a": torch.rand(50_000)}
card = ModelCard.read(model)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for work in (
    lambda: save_state(folder / "best.pt", state),
    lambda: save_checkpoint(folder, state),
    lambda: save_model(torch.nn.Linear(200, 200), card, folder),
    lambda: run(export_steps(model, folder / "a.zip")),
    lambda: run(export_bioimage_steps(model, folder / "b.zip")),
):
    try:
        work()
    except OSError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the file size")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"old")
    command = [sys.executable, "-c", FULL, str(tmp_path), str(tiny_model)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    names = ["best.pt", CHECKPOINT_FILE, "weights.safetensors", "a.zip", "b.zip"]
    assert len(said) == len(names), done.stdout + done.stderr
    for name, line in zip(names, said, strict=True):
        assert f"{name}' could not be written: File too large" in line
        assert "Free some space" in line
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == b"old"
