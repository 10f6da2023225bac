"""Preparation of a training on structures: stacks, card, batches, network, settings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from napari_ssp.engine import TileSettings, resolve_device
from napari_ssp.registry import load_model
from napari_ssp.registry.weights import build_network, find_stored_type
from napari_ssp.service.training.conclusion import Judged
from napari_ssp.service.training.kind import (
    Luggage,
    PreparedTraining,
    TrainingKind,
    Trial,
    nothing_to_check,
)
from napari_ssp.service.training.structures.card import new_card
from napari_ssp.service.training.structures.data import load_structures, pack_stacks, unpack_stacks
from napari_ssp.service.training.structures.pairs import entries
from napari_ssp.training.loop import LoopSettings, TrainingRun
from napari_ssp.training.losses import structure_loss
from napari_ssp.training.processes import read_process_group
from napari_ssp.training.scored_images import ScoredImages, seconds_of_scoring
from napari_ssp.training.scored_parts import in_parts
from napari_ssp.training.structures.new_structure import learn_last_task, most_similar
from napari_ssp.training.structures.parts import cut_pair, divide_pair, set_aside
from napari_ssp.training.structures.recipe import (
    METRIC,
    RECIPES,
    StructureBatches,
    choose_crop,
    score_structures,
)
from napari_ssp.training.structures.stack_store import STACKS, StackStore

if TYPE_CHECKING:
    from torch import nn

    from napari_ssp.networks import RepMode
    from napari_ssp.progress import Steps
    from napari_ssp.registry import ModelCard
    from napari_ssp.service.training.manifest import Entry
    from napari_ssp.service.training.requests import TrainStructuresRequest
    from napari_ssp.service.training.structures.data import StructureData
    from napari_ssp.service.training.structures.plan import StructureFiles
    from napari_ssp.training.batches import Batch
    from napari_ssp.training.data import StructurePair
    from napari_ssp.training.pace import Crop
    from napari_ssp.training.structures.recipe import StructureRecipe

#: How often a run is scored, at most.
_SCORINGS = 8
#: What a new structure learns with, where nothing was chosen: little of the network moves.
_NEW_STRUCTURE_RATE = 1e-3
#: Crops that are compared with what the network predicts already.
_COMPARED = 2


def _entries(files: StructureFiles) -> list[Entry]:
    return entries(files.training, "train") + entries(files.validation, "validation")


def _read(
    files: StructureFiles, request: TrainStructuresRequest, _place: int
) -> Steps[StructureData]:
    if read_process_group().world_size > 1:
        raise ValueError(
            "Structures are trained in one process, but this is one of "
            f"{read_process_group().world_size}. Start the command without torchrun."
        )
    store = StackStore(request.output / STACKS)
    try:
        data = yield from load_structures(files.training, files.validation, files.order, store)
        if not files.validation:
            learned, scored = set_aside(data.training)
            data = replace(data, training=learned, validation=scored)
    except BaseException:
        store.close()
        raise
    return data


def _prepare(
    request: TrainStructuresRequest, base: ModelCard | None, data: StructureData
) -> Steps[PreparedTraining]:
    crop = choose_crop(request.crop, data.training)
    card = new_card(request, base, data, crop)
    recipe = RECIPES[request.stacks.recipe]
    batches = StructureBatches(
        data.training,
        replace(recipe.augmentation, crop=crop),
        request.schedule.batch_size,
        request.machine.seed,
        by_structure=recipe.by_structure,
    )
    run = yield from _start(request, base, card, batches, data.validation)
    run.settings = replace(run.settings, metric=METRIC if data.validation else "")
    window = TileSettings(crop, overlap=0.25, device=run.device)

    def score(network: nn.Module) -> Steps[dict[str, float]]:
        return score_structures(
            network,  # type: ignore[arg-type]
            run.validation,
            data.tasks,
            window,
            request.stacks.projection,
        )

    judged = Judged("Correlation", request.install, base is not None)
    dtype = find_stored_type(base) if base else torch.float16
    return PreparedTraining(run, card, batches, score, judged, dtype)


def _start(
    request: TrainStructuresRequest,
    base: ModelCard | None,
    card: ModelCard,
    batches: StructureBatches,
    validation: list[StructurePair],
) -> Steps[TrainingRun]:
    torch.manual_seed(request.machine.seed)
    device = resolve_device(request.machine.device)
    is_new = base is not None and len(card.tasks) > len(base.tasks)
    if base is None:
        network = build_network(card)
    else:
        network = load_model(base, device)
        if is_new:
            network = yield from _with_new_task(network, request, base, batches)
    settings = _settings(request, RECIPES[request.stacks.recipe], base, is_new)
    run = TrainingRun(
        network.to(device),
        partial(structure_loss, projection=request.stacks.projection),
        replace(settings, epoch_steps=len(batches.pairs) / batches.size),
        request.output,
        purpose=f"structures: {', '.join(card.tasks)}",
    )
    parts = in_parts(validation, divide_pair, cut_pair)
    run.validation = ScoredImages(parts, seconds_of_scoring(request.schedule.minutes))
    run.resume()
    return run


def _with_new_task(
    network: nn.Module,
    request: TrainStructuresRequest,
    base: ModelCard,
    batches: StructureBatches,
) -> Steps[RepMode]:
    """Network that knows one structure more, of which nothing else learns."""
    known: RepMode = network  # type: ignore[assignment]
    if request.new_structure.like is not None:
        like = base.tasks.index(request.new_structure.like)
    else:
        crops = replace(batches, size=_COMPARED)
        like = yield from most_similar(known, crops(0), request.stacks.projection)
    longer = known.extended(like, request.new_structure.own_expert)
    learn_last_task(longer)
    return longer


def _settings(
    request: TrainStructuresRequest,
    recipe: StructureRecipe,
    base: ModelCard | None,
    is_new: bool,
) -> LoopSettings:
    rate = _NEW_STRUCTURE_RATE if is_new else recipe.learning_rate
    return LoopSettings(
        steps=request.schedule.steps,
        minutes=request.schedule.minutes,
        optimiser=recipe.optimiser,
        schedule=recipe.schedule,
        learning_rate=request.schedule.learning_rate or rate,
        weight_decay=recipe.weight_decay,
        smoothing=recipe.smoothing,
        score_base=base is not None,
        workers=request.machine.workers,
        score_minutes=request.schedule.minutes / _SCORINGS,
    )


def _noise(count: int, crop: Crop) -> Batch:
    stacks = torch.rand(count, 1, *crop)
    first, in_3d = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.bool)
    return (stacks, first), (stacks, torch.ones_like(stacks, dtype=torch.bool), in_3d)


def _trial(request: TrainStructuresRequest, card: ModelCard, device: torch.device) -> Trial:
    network: Any = build_network(card).to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    loss = partial(structure_loss, projection=request.stacks.projection)
    return Trial(network, loss, _noise, lambda: network.merge(0), LoopSettings.precision)


STRUCTURES = TrainingKind(
    entries=_entries,
    read=_read,
    check=nothing_to_check,
    prepare=_prepare,
    trial=_trial,
    luggage=Luggage(pack_stacks, unpack_stacks),
)
