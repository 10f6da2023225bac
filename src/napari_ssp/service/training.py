"""Training on labels, step by step: check the data, learn, write the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import median_diameter, resolve_device
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import ModelCard, find_card, load_model, save_model
from napari_ssp.registry.weights import build_network
from napari_ssp.service.pairs import find_pairs, load_pairs
from napari_ssp.service.results import TrainedModel
from napari_ssp.training.augmentation import AugmentationSettings
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.segmentation import SegmentationBatches, score_segmentation

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_ssp.service.requests import TrainRequest
    from napari_ssp.training.data import LabelledImage


def train_steps(request: TrainRequest) -> Steps[TrainedModel]:
    """Train a segmentation model; an interrupted run in the same folder is continued.

    Yields
    ------
    Progress
        After every optimiser step and every scored image.

    Returns
    -------
    TrainedModel
        Where the model is, and its last scores.
    """
    yield Progress("reading training images")
    images = _load(request.data, request.exclude)
    held_out = _load(request.validation, ())
    across = median_diameter(image.labels for image in images)
    card = _card(request, len(images), across and across * request.zoom)
    run = _start(request, card)
    last: dict[str, float] = {}

    def score(network: torch.nn.Module) -> Generator[Progress, None, dict[str, float]]:
        metrics = yield from score_segmentation(network, held_out, request.zoom)
        last.update(metrics)
        return metrics

    batches = SegmentationBatches(
        images,
        AugmentationSettings(crop=request.crop, zoom=request.zoom),
        request.batch_size,
        request.seed,
    )
    network = yield from fit(run, batches, score)
    save_model(network, card, request.output)
    return TrainedModel(request.name, request.output, last)


def _load(folders: tuple[Path, ...], exclude: tuple[str, ...]) -> list[LabelledImage]:
    return load_pairs([pair for folder in folders for pair in find_pairs(folder, exclude)])


def _card(request: TrainRequest, num_images: int, across: float | None) -> ModelCard:
    network = {
        "encoder": request.encoder,
        "decoder_channels": list(request.decoder_channels),
        "pab_channels": request.pab_channels,
    }
    if request.base is not None:
        base = find_card(request.base)
        if base.family != "mediar":
            raise ValueError(
                f"'{base.name}' predicts structures, so no cells can be learned from it. Choose a "
                "base model of the family 'mediar'."
            )
        network = base.network
    return ModelCard(
        name=request.name,
        family="mediar",
        network=network,
        sha256="",
        zoom=request.zoom,
        object_diameter=across,
        description=f"MEDIAR-Former trained on {num_images} images.",
        training_data=", ".join(folder.name for folder in request.data),
    )


def _start(request: TrainRequest, card: ModelCard) -> TrainingRun:
    request.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(request.seed)
    network = build_network(card) if request.base is None else load_model(request.base)
    network = network.to(resolve_device(request.device))
    settings = LoopSettings(
        steps=request.steps,
        minutes=request.minutes,
        learning_rate=request.learning_rate,
        workers=request.workers,
        score_minutes=request.minutes / 8,
    )
    run = TrainingRun(network, segmentation_loss, settings, request.output, purpose="segmentation")
    run.resume()
    return run
