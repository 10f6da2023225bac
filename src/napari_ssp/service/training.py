"""Training on labels, step by step: check the data, learn, write the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import median_diameter, resolve_device
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import ModelCard, find_card, load_model, save_model
from napari_ssp.registry.weights import build_network
from napari_ssp.service.results import TrainedModel
from napari_ssp.service.training_images import load_pairs
from napari_ssp.service.training_plan import find_files
from napari_ssp.training.augmentation import AugmentationSettings
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.segmentation import SegmentationBatches, score_segmentation

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_ssp.service.training_requests import TrainRequest


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
    files = find_files(request)
    images, held_out = load_pairs(files.training), load_pairs(files.validation)
    across = median_diameter(image.labels for image in images)
    card = _card(request, len(images), across and across * (request.zoom or 1.0))
    run = _start(request, card)
    last: dict[str, float] = {}

    def score(network: torch.nn.Module) -> Generator[Progress, None, dict[str, float]]:
        metrics = yield from score_segmentation(network, held_out, (request.zoom or 1.0))
        last.update(metrics)
        return metrics

    batches = SegmentationBatches(
        images,
        AugmentationSettings(crop=request.crop, zoom=(request.zoom or 1.0)),
        request.batch_size,
        request.seed,
    )
    network = yield from fit(run, batches, score)
    save_model(network, card, request.output)
    return TrainedModel(request.name, request.output, last)


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
        zoom=(request.zoom or 1.0),
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
        steps=request.steps or 1_000_000,
        minutes=(request.minutes or 1e6),
        learning_rate=request.learning_rate or 1e-3,
        workers=request.workers,
        score_minutes=(request.minutes or 1e6) / 8,
    )
    run = TrainingRun(network, segmentation_loss, settings, request.output, purpose="segmentation")
    run.resume()
    return run
