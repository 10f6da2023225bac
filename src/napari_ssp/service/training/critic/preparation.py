"""Preparation of a critic's training: card, batches, network, settings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from napari_ssp.engine import resolve_device
from napari_ssp.engine.criticism.prediction import OVERLAP, WINDOW
from napari_ssp.progress import Progress
from napari_ssp.registry import CRITIC, ModelCard
from napari_ssp.registry.weights import build_network
from napari_ssp.service.training.conclusion import Judged
from napari_ssp.service.training.critic.images import critic_entries, read_critic_images
from napari_ssp.service.training.critic.plan import critic_arguments
from napari_ssp.service.training.kind import PreparedTraining, TrainingKind, nothing_to_check
from napari_ssp.training.critic.recipe import (
    METRIC,
    CriticBatches,
    CriticSettings,
    critic_loss,
    score_critic,
)
from napari_ssp.training.loop import LoopSettings, TrainingRun
from napari_ssp.training.scored_images import ScoredImages

if TYPE_CHECKING:
    from torch import nn

    from napari_ssp.networks import DenseCritic
    from napari_ssp.progress import Steps
    from napari_ssp.service.training.critic.images import CriticImages
    from napari_ssp.service.training.critic.requests import TrainCriticRequest
    from napari_ssp.training.critic.recipe import CriticisedImage

#: How often a run whose steps are counted is scored; one that goes by time is scored at its end.
_SCORINGS = 2


def _prepare(
    request: TrainCriticRequest, _base: ModelCard | None, images: CriticImages
) -> Steps[PreparedTraining]:
    yield Progress("preparing the network")
    card, chosen = _card(request, images), request.network
    torch.manual_seed(request.machine.seed)
    network = cast("DenseCritic", build_network(card))
    for head in (network.object_head, network.image_head, network.agreement_head):
        if head is not None:
            head.requires_grad_(False)  # fitted to what the scored images show
    settings = _settings(request, images)
    device = resolve_device(request.machine.device)
    run = TrainingRun(network.to(device), critic_loss, settings, request.output, "critic")
    # All of them, however long that takes: the heads are fitted to what they show.
    run.validation = ScoredImages(images.validation, count_objects=_count_objects)
    run.resume()

    def score(learned: nn.Module) -> Steps[dict[str, float]]:
        return score_critic(cast("DenseCritic", learned), run.validation)

    shown = CriticSettings(
        chosen.crop, chosen.object_diameter, chosen.mistakes_share, chosen.faults_share
    )
    size, seed = request.schedule.batch_size, request.machine.seed
    return PreparedTraining(
        run,
        card,
        CriticBatches(images.training, shown, size, seed),
        score,
        Judged("Rank correlation of objects", request.install, has_base=False),
        torch.float16,
    )


def _count_objects(image: CriticisedImage) -> int:
    return int(np.count_nonzero(np.unique(image.image.labels) > 0))


def _settings(request: TrainCriticRequest, images: CriticImages) -> LoopSettings:
    schedule = request.schedule
    epoch = len(images.training) / schedule.batch_size
    limits = [] if schedule.steps is None else [schedule.steps]
    if schedule.epochs is not None:
        limits.append(max(1, math.ceil(schedule.epochs * epoch)))
    steps = min(limits, default=LoopSettings.steps)
    minutes = math.inf if schedule.minutes is None else schedule.minutes
    return LoopSettings(
        steps=steps,
        minutes=minutes,
        learning_rate=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        smoothing=schedule.smoothing,
        score_minutes=minutes,
        # By steps where time sets no limit, so that such a run ends the same when interrupted.
        score_steps=max(1, round(steps / _SCORINGS)) if math.isinf(minutes) else 0,
        metric=METRIC,
        epoch_steps=epoch,
        workers=request.machine.workers,
    )


def _card(request: TrainCriticRequest, images: CriticImages) -> ModelCard:
    count = len(images.training)
    made = sum(len(one.mistakes) for one in images.training)
    return ModelCard(
        name=request.name,
        family=CRITIC,
        network=critic_arguments(request, images.have_agreement),
        sha256="",
        window=WINDOW,
        overlap=OVERLAP,
        object_diameter=request.network.object_diameter,
        tasks=("errors",),
        description=f"Critic of labels, trained on {count} image{'s' * (count != 1)} with planted "
        f"faults and {made} label images that models made.",
        training_data=", ".join(folder.name for folder in request.data),
        reviews=tuple(dict.fromkeys(request.reviews)),
    )


CRITIC_KIND = TrainingKind(
    entries=critic_entries, read=read_critic_images, check=nothing_to_check, prepare=_prepare
)
