"""Preparation of a training on labels: card, batches, network, settings."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import median_diameter, resolve_device
from napari_ssp.networks import MediarFormer
from napari_ssp.progress import Progress
from napari_ssp.registry import ModelCard, load_model
from napari_ssp.registry.pretrained.loading import load_encoder
from napari_ssp.registry.weights import build_network
from napari_ssp.service.training.conclusion import Judged
from napari_ssp.service.training.kind import Luggage, PreparedTraining, TrainingKind, Trial
from napari_ssp.service.training.segmentation.encoder_weights import (
    encoder_file_steps,
    note_encoder_weights,
    read_encoder_weights,
)
from napari_ssp.service.training.segmentation.image_features import feature_steps
from napari_ssp.service.training.segmentation.images import (
    entries,
    pack_images,
    read_training_images,
    unpack_images,
)
from napari_ssp.service.training.segmentation.workload import network_card
from napari_ssp.training.adapting import choose_rate, choose_trainable
from napari_ssp.training.depthwise import learn_depthwise_in_float32
from napari_ssp.training.loop import LoopSettings, TrainingRun, scored
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.processes import read_process_group, synchronise_batch_norm
from napari_ssp.training.run_files import has_checkpoint
from napari_ssp.training.scored_images import (
    ScoredImages,
    find_enough,
    seconds_of_known,
    seconds_of_scoring,
)
from napari_ssp.training.scored_parts import in_parts
from napari_ssp.training.segmentation.augmentation import STRENGTHS
from napari_ssp.training.segmentation.parts import cut_image, divide_image
from napari_ssp.training.segmentation.recipe import (
    METRIC,
    SegmentationBatches,
    count_objects,
    score_known,
    score_segmentation,
)
from napari_ssp.training.weight_interpolation import interpolate_until

if TYPE_CHECKING:
    from napari_ssp.progress import Steps
    from napari_ssp.registry.pretrained.sources import EncoderFile
    from napari_ssp.service.training.requests import TrainRequest
    from napari_ssp.service.training.segmentation.images import TrainingImages
    from napari_ssp.training.batches import Batch
    from napari_ssp.training.data import LabelledImage
    from napari_ssp.training.pace import Crop
    from napari_ssp.training.segmentation.image_store import ImageStore
    from napari_ssp.training.weight_interpolation import Interpolated

#: How often a run is scored, at most.
_SCORINGS = 10


def _prepare(
    request: TrainRequest, base: ModelCard | None, images: TrainingImages
) -> Steps[PreparedTraining]:
    yield Progress("preparing the network")
    processes = read_process_group()
    if request.schedule.batch_size % processes.world_size:
        raise ValueError(
            f"A batch of {request.schedule.batch_size} crops cannot be divided among "
            f"{processes.world_size} processes. Choose a multiple of {processes.world_size}."
        )
    file = yield from encoder_file_steps(request)
    if processes.is_main and not has_checkpoint(request.output):
        note_encoder_weights(request.output, file.weights if file else None)
    zoom = request.crops.zoom or (base.zoom if base else 1.0)
    card = _card(request, base, images, zoom)
    network = _network(request, card, file)
    is_pretrained = base is not None or file is not None
    features = yield from feature_steps(request, network if is_pretrained else None, images)
    batches = SegmentationBatches(
        images.training,
        replace(STRENGTHS[request.crops.augmentation], crop=request.crops.crop, zoom=zoom),
        size=request.schedule.batch_size,
        seed=request.machine.seed,
        sampling=request.crops.sampling,
        replay=images.replay,
        replay_share=request.forgetting.replay_share,
        features=features.get("features"),
        replay_features=features.get("replay_features"),
        part=(processes.rank, processes.world_size),
    )
    epoch = len(images.training) / (request.schedule.batch_size - batches.replayed)
    settings = loop_settings(request, card, epoch, bool(images.validation))
    run = _start(request, network, settings, images, zoom)
    mixed = bool(images.known) or request.forgetting.most_learned != 1.0
    return PreparedTraining(
        run,
        card,
        batches,
        partial(_score, request, card, run.validation),
        Judged("F1", request.install, base is not None),
        torch.float16,
        mix=partial(_mix, run, request, card, images) if mixed else None,
    )


def _score(
    request: TrainRequest,
    card: ModelCard,
    images: ScoredImages[LabelledImage],
    network: torch.nn.Module,
) -> Steps[dict[str, float]]:
    return score_segmentation(network, images, card, request.machine.precision)


def _mix(
    run: TrainingRun, request: TrainRequest, card: ModelCard, images: TrainingImages
) -> Steps[Interpolated]:
    """Mix winner and base until little enough is forgotten, and score the mixture."""
    known = _in_time(images.known, seconds_of_known(run.settings.minutes), card.zoom)
    stage = "scoring replayed images"

    def score_replayed(network: torch.nn.Module) -> Steps[dict[str, float]]:
        return score_known(network, known, card, request.machine.precision)

    def score_new(network: torch.nn.Module) -> Steps[dict[str, float]]:
        return scored(run, network, partial(_score, request, card, run.validation))

    def is_enough(network: torch.nn.Module, share: float) -> Steps[bool]:
        found[share] = yield from score_new(network)
        return found[share].get(METRIC, 0.0) >= enough

    found: dict[float, dict[str, float]] = {}
    enough = find_enough(run.best.get(METRIC, 0.0), run.validation.objects)
    mixture = yield from interpolate_until(
        load_model(str(request.base)).to(run.device),
        run.winner(),
        lambda network: scored(run, network, score_replayed, stage),
        request.forgetting.most_forgotten,
        request.forgetting.most_learned,
        is_enough if images.validation else None,
    )
    if mixture.share < 1.0 and images.validation:
        scores = found.get(mixture.share) or (yield from score_new(mixture.network))
        run.best = run.best | scores  # a new one: the old one is a row of the curve
    return mixture


def _in_time(images: ImageStore, seconds: float, zoom: float) -> ScoredImages[LabelledImage]:
    """Images to score in some seconds; without a limit as a whole, however large they are."""
    if math.isinf(seconds):
        return ScoredImages(images, seconds, count_objects)
    parts = in_parts(images, partial(divide_image, zoom=zoom), cut_image)
    return ScoredImages(parts, seconds, count_objects)


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
    minutes = math.inf if request.schedule.minutes is None else request.schedule.minutes
    limits = [] if request.schedule.steps is None else [request.schedule.steps]
    if request.schedule.epochs is not None:
        limits.append(max(1, math.ceil(request.schedule.epochs * epoch)))
    steps = min(limits, default=LoopSettings.steps)
    encoder, has_base = str(card.network["encoder"]), request.base is not None
    return LoopSettings(
        steps=steps,
        minutes=minutes,
        learning_rate=request.schedule.learning_rate
        or choose_rate(request.forgetting.trainable, encoder, has_base),
        weight_decay=request.schedule.weight_decay,
        smoothing=request.schedule.smoothing,
        keep_statistics=has_base and request.forgetting.keep_statistics,
        score_minutes=minutes / _SCORINGS,
        # By steps where time sets no limit, so that such a run ends the same when interrupted.
        score_steps=max(1, round(steps / _SCORINGS)) if math.isinf(minutes) else 0,
        score_base=request.base is not None and validated,
        metric=METRIC if validated else "",
        epoch_steps=epoch,
        precision=request.machine.precision,
        workers=request.machine.workers,
    )


def _card(
    request: TrainRequest, base: ModelCard | None, images: TrainingImages, zoom: float
) -> ModelCard:
    across = median_diameter(image.labels for image in images.training)
    count, data = len(images.training), ", ".join(folder.name for folder in request.data)
    card = replace(
        network_card(request),
        zoom=zoom,
        object_diameter=across and across * zoom,
        description=f"MEDIAR-Former trained on {count} image{'s' * (count != 1)}.",
        training_data=data,
        encoder_weights=read_encoder_weights(request.output),
    )
    if base is None:
        return card
    return replace(
        card,
        network=base.network,
        window=base.window,
        largest_window=base.largest_window,
        overlap=base.overlap,
        licence=base.licence,
        encoder_weights=base.encoder_weights,
        citation=base.citation,
        description=f"'{base.name}', trained further ({request.forgetting.trainable}) on {count} "
        f"image{'s' * (count != 1)}.",
        training_data=f"{data}; before: {base.training_data or base.name}",
        base=base.name,
    )


def _network(request: TrainRequest, card: ModelCard, file: EncoderFile | None) -> MediarFormer:
    """Make the network as it is before the first step."""
    torch.manual_seed(request.machine.seed)
    network = build_network(card) if request.base is None else load_model(request.base)
    assert isinstance(network, MediarFormer)
    if file is not None:
        load_encoder(network, request.network.encoder, file)
    return network


def _start(
    request: TrainRequest,
    network: MediarFormer,
    settings: LoopSettings,
    images: TrainingImages,
    zoom: float,
) -> TrainingRun:
    choose_trainable(network, request.forgetting.trainable, request.forgetting.lora_rank)
    processes = read_process_group()
    joined = synchronise_batch_norm(network, processes)
    joined = joined.to(resolve_device(processes.device(request.machine.device)))
    purpose = f"segmentation ({request.forgetting.trainable})"
    run = TrainingRun(joined, segmentation_loss, settings, request.output, purpose, processes)
    seconds = seconds_of_scoring(settings.minutes, bool(images.known))
    run.validation = _in_time(images.validation, seconds, zoom)
    run.resume()
    return run


def _check(request: TrainRequest) -> Steps[None]:
    """Try pretrained weights in a network that is thrown away, before any image is read."""
    file = yield from encoder_file_steps(request)
    if file is not None:
        load_encoder(build_network(network_card(request)), request.network.encoder, file)


def _noise(count: int, crop: Crop) -> Batch:
    pixels, flows = (torch.rand(count, channels, *crop) for channels in (3, 2))
    return (pixels,), (flows, flows[:, 0])


def _trial(request: TrainRequest, card: ModelCard, device: torch.device) -> Trial:
    network = build_network(card).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    choose_trainable(network, request.forgetting.trainable, request.forgetting.lora_rank)
    if device.type == "cpu":
        learn_depthwise_in_float32(network)
    precision = request.machine.precision
    return Trial(network, segmentation_loss, _noise, lambda: network, precision)


SEGMENTATION = TrainingKind(
    entries=entries,
    read=read_training_images,
    check=_check,
    prepare=_prepare,
    trial=_trial,
    luggage=Luggage(pack_images, unpack_images),
)
