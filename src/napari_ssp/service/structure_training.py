"""Training on structures, step by step: check the data, learn, write the model."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import TileSettings, resolve_device
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import ModelCard, save_model
from napari_ssp.registry.weights import build_network
from napari_ssp.service.results import TrainedModel
from napari_ssp.service.structure_pairs import (
    TRAINING_SPLITS,
    VALIDATION_SPLITS,
    find_structure_pairs,
    load_structures,
)
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.losses import structure_loss
from napari_ssp.training.structures import (
    RECIPES,
    StructureBatches,
    fitting_crop,
    score_structures,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from torch import nn

    from napari_ssp.service.structure_pairs import Pair, StructureData
    from napari_ssp.service.training_requests import TrainStructuresRequest
    from napari_ssp.training.structures import StructureRecipe


def train_structures_steps(request: TrainStructuresRequest) -> Steps[TrainedModel]:
    """Train a RepMode; an interrupted run in the same folder is continued.

    Yields
    ------
    Progress
        After every optimiser step and every scored patch.

    Returns
    -------
    TrainedModel
        Where the model is, and its last scores.

    Raises
    ------
    ValueError
        When pairs cannot be used, all of them listed, or the folder's run is of another kind.
    """
    yield Progress("reading training images")
    data = _load(request)
    crop = fitting_crop(request.crop, data.training)
    recipe = RECIPES[request.recipe]
    card = _card(request, data, crop)
    run = _start(request, recipe, card)
    last: dict[str, float] = {}
    window = TileSettings(crop, overlap=0.25, device=run.device)

    def score(network: nn.Module) -> Generator[Progress, None, dict[str, float]]:
        metrics = yield from score_structures(
            network,  # type: ignore[arg-type]
            data.validation,
            data.tasks,
            window,
            request.projection,
        )
        last.update(metrics)
        return metrics

    augmentation = replace(recipe.augmentation, crop=crop)
    batches = StructureBatches(data.training, augmentation, request.batch_size, request.seed)
    network = yield from fit(run, batches, score)
    save_model(network, card, request.output)
    return TrainedModel(request.name, request.output, last)


def _load(request: TrainStructuresRequest) -> StructureData:
    """Find and read everything; what is wrong with any of it is said together."""
    problems: list[str] = []

    def find(sources: Sequence[Path], splits: Sequence[str]) -> list[Pair]:
        found: list[Pair] = []
        for source in sources:
            try:
                found += find_structure_pairs(source, splits, request.exclude)
            except (OSError, ValueError) as error:
                problems.append(str(error))
        return found

    training = find(request.data, TRAINING_SPLITS)
    validation = find(request.validation, VALIDATION_SPLITS)
    if problems:
        raise ValueError("\n".join(problems))
    return load_structures(training, validation, request.tasks)


def _card(
    request: TrainStructuresRequest, data: StructureData, crop: tuple[int, int, int]
) -> ModelCard:
    flat = sorted({data.tasks[pair.task] for pair in data.training if pair.is_projected})
    description = f"RepMode trained on {len(data.training)} stacks."
    if flat:
        description += (
            f" For {', '.join(flat)} only the {request.projection} projection along z was measured:"
            " where along z the prediction lies is not learned from data."
        )
    return ModelCard(
        name=request.name,
        family="repmode",
        network={"num_tasks": len(data.tasks), "base_channels": request.base_channels},
        sha256="",
        axes="zyx",
        window=crop,
        voxel_size=request.voxel_size or data.voxel_size,
        tasks=data.tasks,
        task_descriptions={**data.descriptions, **request.descriptions},
        target_statistics=data.target_statistics,
        description=description,
        training_data=", ".join(source.name for source in request.data),
    )


def _start(
    request: TrainStructuresRequest, recipe: StructureRecipe, card: ModelCard
) -> TrainingRun:
    request.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(request.seed)
    settings = LoopSettings(
        steps=request.steps,
        minutes=request.minutes,
        optimiser=recipe.optimiser,
        schedule=recipe.schedule,
        learning_rate=request.learning_rate or recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        smoothing=recipe.smoothing,
        workers=request.workers,
        score_minutes=request.minutes / 8,
    )
    run = TrainingRun(
        build_network(card).to(resolve_device(request.device)),
        partial(structure_loss, projection=request.projection),
        settings,
        request.output,
        purpose=f"structures: {', '.join(card.tasks)}",
    )
    run.resume()
    return run
