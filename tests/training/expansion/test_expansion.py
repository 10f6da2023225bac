"""Expansion destroys a student where nothing watches it, and cannot where the gate does."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from disks import SIDE, disks, small_student

from napari_ssp.networks import Teacher
from napari_ssp.progress import run as drive
from napari_ssp.training.expansion.batches import (
    CropSettings,
    ExpansionBatches,
    StudentBatches,
    TeacherBatches,
)
from napari_ssp.training.expansion.losses import ExpansionLoss, judge, student_loss, teacher_loss
from napari_ssp.training.expansion.scores import score_student
from napari_ssp.training.expansion.variation import VARIATIONS
from napari_ssp.training.gate import Gate
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.scored_images import ScoredImages

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

CROPS = CropSettings(SIDE, 8, 0, VARIATIONS["none"])
LABELLED = [disks(k) for k in range(8)]
HELD_OUT = ScoredImages([disks(100 + k) for k in range(6)])
UNLABELLED = [disks(200 + k, labelled=False) for k in range(16)]
MIXED = ExpansionBatches(LABELLED, UNLABELLED, CROPS)
SCORE = partial(score_student, images=HELD_OUT, side=SIDE)


def _trained(
    folder: Path, network: nn.Module, loss: Any, batches: Any, steps: int, **choices: Any
) -> TrainingRun:
    folder.mkdir()
    choices = {"learning_rate": 1e-2, "metric": "iou", "score_base": True} | choices
    settings = LoopSettings(
        steps=steps,
        minutes=60,
        optimiser="adam",
        schedule="constant",
        weight_decay=0.0,
        smoothing=0.0,
        **choices,
    )
    run = TrainingRun(network, loss, settings, folder)
    run.validation = HELD_OUT
    drive(fit(run, batches, SCORE if settings.metric else _nothing))
    return run


def _nothing(_: nn.Module) -> Any:
    yield from ()
    return {}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    """A student that was trained on labels, and knows what disks are."""
    folder = tmp_path_factory.mktemp("runs") / "student"
    run = _trained(folder, small_student(), student_loss, StudentBatches(LABELLED, CROPS), 60)
    assert run.best["iou"] > 0.85
    return run.winner()


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> list[nn.Module]:
    """A committee that was trained on corrupted masks, in the scale of students."""
    folder, made = tmp_path_factory.mktemp("runs"), []
    for seed in range(2):
        torch.manual_seed(seed)
        batches = TeacherBatches(LABELLED, CropSettings(SIDE, 8, seed, VARIATIONS["none"]))
        network, name = Teacher("critic", SIDE, 4, 2), folder / str(seed)
        run = _trained(name, network, teacher_loss, batches, 40, metric="", score_base=False)
        made.append(run.winner().requires_grad_(False))
    return made


def _only_what_teachers_say(teachers: list[nn.Module], *batch: Any) -> torch.Tensor:
    """Loss as published: unlabelled images alone, logits for masks, no limit, no weights."""
    logits, images, _truth, _counted, labelled = batch
    return judge(teachers, images[~labelled], logits[~labelled]).mean()


def _expanded(folder: Path, student: nn.Module, loss: Any, **choices: Any) -> TrainingRun:
    start = copy.deepcopy(student).requires_grad_(True)
    return _trained(folder, start, loss, MIXED, 24, learning_rate=3e-3, score_steps=8, **choices)


def test_without_the_gate_the_published_expansion_destroys_the_student(
    tmp_path: Path, student: nn.Module, teachers: list[nn.Module]
) -> None:
    loss = partial(_only_what_teachers_say, teachers)
    run = _expanded(tmp_path / "run", student, loss)
    assert run.base["iou"] > 0.85
    assert run.rows[-1]["iou"] < 0.2
    assert run.rows[-1]["ece"] > 0.5
    assert run.rows[-1]["loss"] < -1, "it found what the teachers take for a loss below 0"


def test_with_the_gate_it_cannot(
    tmp_path: Path, student: nn.Module, teachers: list[nn.Module]
) -> None:
    loss, gate = partial(_only_what_teachers_say, teachers), Gate("iou", "ece")
    run = _expanded(tmp_path / "run", student, loss, gate=gate)
    assert run.step == 8, "the first scoring ends it"
    for name, value in run.winner().state_dict().items():
        assert torch.equal(value, student.state_dict()[name])
    assert drive(SCORE(run.winner()))["iou"] == pytest.approx(run.base["iou"], abs=1e-4)


def test_the_repaired_expansion_leaves_the_student_whole_even_without_the_gate(
    tmp_path: Path, student: nn.Module, teachers: list[nn.Module]
) -> None:
    run = _expanded(tmp_path / "run", student, ExpansionLoss(teachers))
    assert run.rows[-1]["iou"] > run.base["iou"] - 0.05


def test_the_student_learns_from_what_the_teachers_say(
    student: nn.Module, teachers: list[nn.Module]
) -> None:
    """Without labels there is a gradient, which went lost where teachers were run without any."""
    (images,), targets = MIXED(0)
    counted = torch.zeros_like(targets[2])  # no labelled pixel counts
    learner = copy.deepcopy(student).requires_grad_(True)
    ExpansionLoss(teachers)(learner(images), *targets[:2], counted, targets[3]).backward()
    gradients = [part.grad for part in learner.parameters()]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in gradients)
    assert all(part.grad is None for one in teachers for part in one.parameters())
