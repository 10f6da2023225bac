"""Training on labels, step by step: check the data, learn, judge, write the model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import median_diameter, resolve_device
from napari_ssp.registry import ModelCard, load_model
from napari_ssp.registry.weights import build_network
from napari_ssp.service.results import TrainedModel
from napari_ssp.service.training.conclusion import Judged, conclude
from napari_ssp.service.training.manifest import write_manifest
from napari_ssp.service.training.requests import write_request
from napari_ssp.service.training.segmentation.images import entries, read_training_images
from napari_ssp.service.training.segmentation.plan import base_card, find_files
from napari_ssp.training.adapting import choose_rate, choose_trainable
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit, scored
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.processes import (
    connect_processes,
    read_process_group,
    synchronise_batch_norm,
)
from napari_ssp.training.records import CHECKPOINT_FILE
from napari_ssp.training.segmentation.augmentation import STRENGTHS
from napari_ssp.training.segmentation.recipe import METRIC, SegmentationBatches, score_segmentation
from napari_ssp.training.weight_interpolation import interpolate_until

if TYPE_CHECKING:
    from napari_ssp.progress import Steps
    from napari_ssp.service.training.requests import TrainRequest
    from napari_ssp.service.training.segmentation.images import TrainingImages

#: How often a run is scored, at most.
_SCORINGS = 10


def train_steps(request: TrainRequest, record: bool = True) -> Steps[TrainedModel]:
    """Train a segmentation model; an interrupted run in the same folder is continued.

    Parameters
    ----------
    request : TrainRequest
        What to learn.
    record : bool
        Write the request into the run's folder.

    Yields
    ------
    Progress
        After every image read, optimiser step and scored image. While learning, the preview is a
        `TrainingState`.

    Returns
    -------
    TrainedModel
        Where the model is, its scores and whether it was installed.

    Raises
    ------
    FileNotFoundError, ValueError
        When data or base cannot be used, or the folder's run is of another kind.
    """
    base, files, processes = base_card(request), find_files(request), read_process_group()
    request.output.mkdir(parents=True, exist_ok=True)
    if processes.is_main:
        started = (request.output / CHECKPOINT_FILE).exists()
        write_manifest(entries(files), request.output, started)
    if processes.is_main and record:
        write_request(request)
    images = yield from read_training_images(files, request, processes.rank)
    try:
        with connect_processes(processes):
            return (yield from _train(request, base, images))
    finally:
        images.close()


def _train(
    request: TrainRequest, base: ModelCard | None, images: TrainingImages
) -> Steps[TrainedModel]:
    processes = read_process_group()
    if request.batch_size % processes.world_size:
        raise ValueError(
            f"A batch of {request.batch_size} crops cannot be divided among "
            f"{processes.world_size} processes. Choose a multiple of {processes.world_size}."
        )
    zoom = request.zoom or (base.zoom if base else 1.0)
    card = _card(request, base, images, zoom)
    batches = SegmentationBatches(
        images.training,
        replace(STRENGTHS[request.augmentation], crop=request.crop, zoom=zoom),
        size=request.batch_size,
        seed=request.seed,
        sampling=request.sampling,
        replay=images.replay,
        replay_share=request.replay_share,
        part=(processes.rank, processes.world_size),
    )
    epoch = len(images.training) / (request.batch_size - batches.replayed)
    run = _start(request, card, loop_settings(request, card, epoch, bool(images.validation)))

    def score(network: torch.nn.Module) -> Steps[dict[str, float]]:
        return score_segmentation(network, images.validation, zoom, request.precision)

    yield from fit(run, batches, score)
    if not processes.is_main:
        return TrainedModel(request.name, request.output)
    if not images.known and request.most_learned == 1.0:
        return conclude(run, card, Judged("F1", request.install, base is not None))

    def score_known(network: torch.nn.Module) -> Steps[dict[str, float]]:
        return score_segmentation(network, images.known, zoom, request.precision)

    mixture = yield from interpolate_until(
        load_model(str(request.base)).to(run.device),
        run.winner(),
        lambda network: scored(run, network, score_known),
        request.most_forgotten,
        request.most_learned,
    )
    if mixture.share < 1.0 and images.validation:
        run.best = run.best | (yield from scored(run, mixture.network, score))
    return conclude(run, card, Judged("F1", request.install, True), mixture=mixture)


def loop_settings(
    request: TrainRequest, card: ModelCard, epoch: float, validated: bool
) -> LoopSettings:
    """How long and how fast to learn, with what the request leaves open filled in.

    Parameters
    ----------
    request : TrainRequest
        What was asked for.
    card : ModelCard
        Of the model to be.
    epoch : float
        Steps of a pass through the training images.
    validated : bool
        Whether there are validation images.
    """
    minutes = math.inf if request.minutes is None else request.minutes
    limits = [] if request.steps is None else [request.steps]
    if request.epochs is not None:
        limits.append(max(1, math.ceil(request.epochs * epoch)))
    steps = min(limits, default=LoopSettings.steps)
    encoder, has_base = str(card.network["encoder"]), request.base is not None
    return LoopSettings(
        steps=steps,
        minutes=minutes,
        learning_rate=request.learning_rate or choose_rate(request.trainable, encoder, has_base),
        weight_decay=request.weight_decay,
        smoothing=request.smoothing,
        keep_statistics=has_base and request.keep_statistics,
        score_minutes=minutes / _SCORINGS,
        # By steps where time sets no limit, so that such a run ends the same when interrupted.
        score_steps=max(1, round(steps / _SCORINGS)) if math.isinf(minutes) else 0,
        score_base=request.base is not None and validated,
        metric=METRIC if validated else "",
        epoch_steps=epoch,
        precision=request.precision,
        workers=request.workers,
    )


def _card(
    request: TrainRequest, base: ModelCard | None, images: TrainingImages, zoom: float
) -> ModelCard:
    across = median_diameter(image.labels for image in images.training)
    count, data = len(images.training), ", ".join(folder.name for folder in request.data)
    card = ModelCard(
        name=request.name,
        family="mediar",
        network={
            "encoder": request.encoder,
            "decoder_channels": list(request.decoder_channels),
            "pab_channels": request.pab_channels,
        },
        sha256="",
        zoom=zoom,
        object_diameter=across and across * zoom,
        description=f"MEDIAR-Former trained on {count} image{'s' * (count != 1)}.",
        training_data=data,
    )
    if base is None:
        return card
    return replace(
        card,
        network=base.network,
        window=base.window,
        licence=base.licence,
        citation=base.citation,
        description=f"'{base.name}', trained further ({request.trainable}) on {count} "
        f"image{'s' * (count != 1)}.",
        training_data=f"{data}; before: {base.training_data or base.name}",
    )


def _start(request: TrainRequest, card: ModelCard, settings: LoopSettings) -> TrainingRun:
    torch.manual_seed(request.seed)
    network = build_network(card) if request.base is None else load_model(request.base)
    choose_trainable(network, request.trainable, request.lora_rank)
    processes = read_process_group()
    network = synchronise_batch_norm(network, processes)
    network = network.to(resolve_device(processes.device(request.device)))
    purpose = f"segmentation ({request.trainable})"
    run = TrainingRun(network, segmentation_loss, settings, request.output, purpose, processes)
    run.resume()
    return run
