"""Workload of a training of cells: its network, and the crops that a step works on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import ModelCard
from napari_ssp.service.training.kind import Workload
from napari_ssp.training.pace import Sides

if TYPE_CHECKING:
    from napari_ssp.service.results import DataSize
    from napari_ssp.service.training.requests import TrainRequest
    from napari_ssp.training.pace import Crop


def network_card(request: TrainRequest, base: ModelCard | None = None) -> ModelCard:
    """Card of the network that is trained: that of the base, or one from scratch."""
    return base or ModelCard(
        name=request.name,
        family="mediar",
        network={
            "encoder": request.network.encoder,
            "decoder_channels": list(request.network.decoder_channels),
            "pab_channels": request.network.pab_channels,
        },
        sha256="",
    )


def _ends_by_time(request: TrainRequest) -> bool:
    limits = request.schedule
    return limits.minutes is not None and limits.steps is None and limits.epochs is None


def _settings(request: TrainRequest) -> tuple[Any, ...]:
    learned = request.forgetting
    return learned.trainable, learned.lora_rank, request.machine.precision


def _crop(request: TrainRequest, _size: DataSize) -> Crop:
    return request.crops.crop, request.crops.crop


def _with_crop(request: TrainRequest, crop: Crop) -> TrainRequest:
    return replace(request, crops=replace(request.crops, crop=crop[0]))


WORKLOAD = Workload(
    network_card=network_card,
    ends_by_time=_ends_by_time,
    settings=_settings,
    crop=_crop,
    with_crop=_with_crop,
    describe=lambda crop: f"{crop[0]} px",
    sides=Sides(smallest=128, multiple=32),
    measured=(256, 256),
)
