"""Preparation of trainings on masks: card, batches, networks, settings."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import resolve_device
from napari_ssp.progress import Progress
from napari_ssp.registry import STUDENT, TEACHER, ModelCard, load_model, save_model
from napari_ssp.registry.weights import build_network
from napari_ssp.service.training.conclusion import Judged
from napari_ssp.service.training.expansion.images import mask_entries, read_mask_images
from napari_ssp.service.training.expansion.plan import (
    network_arguments,
    teacher_cards,
)
from napari_ssp.service.training.kind import PreparedTraining, TrainingKind, nothing_to_check
from napari_ssp.training.expansion.batches import (
    CropSettings,
    ExpansionBatches,
    StudentBatches,
    TeacherBatches,
)
from napari_ssp.training.expansion.joint import JointNetwork
from napari_ssp.training.expansion.losses import (
    ExpansionLoss,
    JointLoss,
    student_loss,
    teacher_loss,
)
from napari_ssp.training.expansion.scores import (
    CALIBRATION,
    STUDENT_METRIC,
    TEACHER_METRIC,
    score_student,
    score_teacher,
)
from napari_ssp.training.expansion.variation import VARIATIONS
from napari_ssp.training.gate import Gate
from napari_ssp.training.loop import LoopSettings, TrainingRun
from napari_ssp.training.scored_images import ScoredImages, seconds_of_scoring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from torch import nn

    from napari_ssp.progress import Steps
    from napari_ssp.service.training.expansion.images import MaskImages
    from napari_ssp.service.training.expansion.requests import (
        MaskRequest,
        PassSchedule,
        TrainExpansionRequest,
        TrainStudentRequest,
        TrainTeacherRequest,
    )

#: How often a run without a gate is scored, at most.
_SCORINGS = 10
#: Folder, in a run's, of the teacher that learned together with the student.
TEACHER_FOLDER = "teacher"


def _prepare_teacher(
    request: TrainTeacherRequest, _base: ModelCard | None, images: MaskImages
) -> Steps[PreparedTraining]:
    yield Progress("preparing the network")
    card = _new_card(
        request, TEACHER, f"Teacher: {_learned(images)} and corruptions of their masks"
    )
    crops = _crops(request, card)
    settings = _settings(request, images, len(images.training), TEACHER_METRIC, minimise=True)
    loss = partial(teacher_loss, measure=request.measure)
    run = _start(request, _seeded(request, card), loss, settings, images, "teacher")
    return PreparedTraining(
        run,
        card,
        TeacherBatches(images.training, crops),
        lambda network: score_teacher(network, run.validation, crops.side),
        Judged("Mean absolute error", request.install, has_base=False),
        torch.float32,
    )


def _prepare_student(
    request: TrainStudentRequest, _base: ModelCard | None, images: MaskImages
) -> Steps[PreparedTraining]:
    yield Progress("preparing the network")
    card = _new_card(request, STUDENT, f"Student: {_learned(images)}")
    crops, teachers = _crops(request, card), teacher_cards(request)
    network: nn.Module = _seeded(request, card)
    loss: Callable[..., torch.Tensor] = student_loss
    if teachers:
        network = JointNetwork(network, load_model(teachers[0]))
        loss = JointLoss(request.measure)
    settings = _settings(request, images, len(images.training), STUDENT_METRIC)
    purpose = "student with a teacher" if teachers else "student"
    run = _start(request, network, loss, settings, images, purpose)

    def write_teacher(learned: nn.Module) -> nn.Module:
        """Give the student of a joint network, and write its teacher."""
        if isinstance(learned, JointNetwork):
            _save_teacher(learned, teachers[0], request.output)
        return _student_of(learned)

    return PreparedTraining(
        run,
        card,
        StudentBatches(images.training, crops),
        lambda learned: score_student(_student_of(learned), run.validation, crops.side),
        Judged("IoU", request.install, has_base=False),
        torch.float32,
        model=write_teacher,
    )


def _prepare_expansion(
    request: TrainExpansionRequest, base: ModelCard | None, images: MaskImages
) -> Steps[PreparedTraining]:
    yield Progress("preparing the networks")
    assert base is not None
    if not images.validation:
        raise ValueError(
            "An expansion is watched on images that are held out, and there are none: the images "
            "are too small to set a strip of them aside. Name some with --validation."
        )
    card = _expanded_card(request, base, images)
    crops = _crops(request, card)
    network, device = load_model(base), resolve_device(request.machine.device)
    teachers = [load_model(one, device).requires_grad_(False) for one in teacher_cards(request)]
    gate = Gate(STUDENT_METRIC, CALIBRATION, request.slack)
    longest = max(len(images.training), len(images.unlabelled))
    settings = _settings(request, images, longest, STUDENT_METRIC, gate=gate)
    loss = ExpansionLoss(teachers, request.weight)
    run = _start(request, network, loss, settings, images, "expansion")
    return PreparedTraining(
        run,
        card,
        ExpansionBatches(images.training, images.unlabelled, crops),
        lambda student: score_student(student, run.validation, crops.side),
        Judged("IoU", request.install, has_base=True),
        torch.float32,
    )


def _new_card(
    request: TrainTeacherRequest | TrainStudentRequest, family: str, description: str
) -> ModelCard:
    side = request.network.size
    return ModelCard(
        name=request.name,
        family=family,
        network=network_arguments(request),
        sha256="",
        window=(side, side),
        overlap=0.25,
        tasks=(request.structure,),
        description=f"{description}.",
        training_data=", ".join(folder.name for folder in request.data),
    )


def _expanded_card(
    request: TrainExpansionRequest, base: ModelCard, images: MaskImages
) -> ModelCard:
    folders = ", ".join(folder.name for folder in (*request.data, *request.unlabelled))
    return replace(
        base,
        name=request.name,
        figures={},
        description=f"'{base.name}', expanded on {len(images.unlabelled)} images without masks as "
        f"judged by {', '.join(request.teachers)}.",
        training_data=f"{folders}; before: {base.training_data or base.name}",
        base=base.name,
    )


def _learned(images: MaskImages) -> str:
    return f"{len(images.training)} image{'s' * (len(images.training) != 1)} with masks"


def _crops(request: MaskRequest, card: ModelCard) -> CropSettings:
    return CropSettings(
        card.window[0],
        request.schedule.batch_size,
        request.machine.seed,
        VARIATIONS[request.variation],
    )


def _seeded(request: MaskRequest, card: ModelCard) -> nn.Module:
    """Make the network as it is before the first step."""
    torch.manual_seed(request.machine.seed)
    return build_network(card)


def _settings(
    request: MaskRequest, images: MaskImages, count: int, metric: str, **more: Any
) -> LoopSettings:
    """How long and how fast to learn of so many images in a pass."""
    schedule, has_gate = request.schedule, "gate" in more
    epoch = max(1, math.ceil(count / schedule.batch_size))
    steps = _count_steps(schedule, epoch)
    minutes = math.inf if schedule.minutes is None else schedule.minutes
    every = max(1, round(steps / _SCORINGS)) if math.isinf(minutes) else 0
    return LoopSettings(
        steps=steps,
        minutes=minutes,
        optimiser="radam",
        schedule="steps",
        learning_rate=schedule.learning_rate,
        weight_decay=0.0,
        smoothing=0.0,
        score_minutes=minutes / _SCORINGS,
        score_steps=epoch if has_gate else every,
        score_base=has_gate,
        metric=metric if images.validation else "",
        epoch_steps=epoch,
        workers=request.machine.workers,
        **more,
    )


def _count_steps(schedule: PassSchedule, epoch: int) -> int:
    limits = [] if schedule.steps is None else [schedule.steps]
    if schedule.epochs is not None:
        limits.append(max(1, math.ceil(schedule.epochs * epoch)))
    return min(limits, default=LoopSettings.steps)


def _start(
    request: MaskRequest,
    network: nn.Module,
    loss: Callable[..., torch.Tensor],
    settings: LoopSettings,
    images: MaskImages,
    purpose: str,
) -> TrainingRun:
    device = resolve_device(request.machine.device)
    run = TrainingRun(network.to(device), loss, settings, request.output, purpose)
    run.validation = ScoredImages(images.validation, seconds_of_scoring(run.settings.minutes))
    run.resume()
    return run


def _student_of(network: nn.Module) -> nn.Module:
    return network.student if isinstance(network, JointNetwork) else network


def _save_teacher(network: JointNetwork, before: ModelCard, folder: Path) -> None:
    """Write the teacher that learned with a student, as a model in a folder of the run."""
    card = replace(
        before,
        name=f"{before.name}-joint"[:64],
        figures={},
        description=f"'{before.name}', trained further together with a student.",
    )
    save_model(network.teacher, card, folder / TEACHER_FOLDER, torch.float32)


TEACHER_KIND = TrainingKind(
    entries=mask_entries,
    read=read_mask_images,
    check=nothing_to_check,
    prepare=_prepare_teacher,
)
STUDENT_KIND = TrainingKind(
    entries=mask_entries,
    read=read_mask_images,
    check=nothing_to_check,
    prepare=_prepare_student,
)
EXPANSION_KIND = TrainingKind(
    entries=mask_entries,
    read=read_mask_images,
    check=nothing_to_check,
    prepare=_prepare_expansion,
)
