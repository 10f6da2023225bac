"""Workload of a training on structures: its network, and the crops that a step works on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import ModelCard
from napari_ssp.service.training.kind import Workload
from napari_ssp.service.training.structure_choices import StructureSchedule
from napari_ssp.training.pace import Sides
from napari_ssp.training.structures.depth import choose_depth

if TYPE_CHECKING:
    from napari_ssp.service.results import DataSize
    from napari_ssp.service.training.requests import TrainStructuresRequest
    from napari_ssp.training.pace import Crop


def _network_card(request: TrainStructuresRequest, base: ModelCard | None = None) -> ModelCard:
    """Card of the network that is trained; a structure more or less takes no time."""
    return base or ModelCard(
        name=request.name,
        family="repmode",
        network={"num_tasks": 1, "base_channels": request.stacks.base_channels},
        sha256="",
    )


def ends_by_time(request: TrainStructuresRequest) -> bool:
    """Whether nobody counted the steps."""
    return request.schedule.steps == StructureSchedule().steps


def _settings(_request: TrainStructuresRequest) -> tuple[Any, ...]:
    return ()  # a network of which one structure is learned takes as long as one that learns all


def _crop(request: TrainStructuresRequest, size: DataSize) -> Crop:
    depth = choose_depth(request.crop[0], (shape[0] for shape in size.shapes))
    return depth, *request.crop[1:]


def _with_crop(request: TrainStructuresRequest, crop: Crop) -> TrainStructuresRequest:
    _, height, width = crop
    return replace(request, crop=(request.crop[0], height, width))


WORKLOAD = Workload(
    network_card=_network_card,
    ends_by_time=ends_by_time,
    settings=_settings,
    crop=_crop,
    with_crop=_with_crop,
    describe=lambda crop: f"{' × '.join(map(str, crop))} voxels",
    sides=Sides(smallest=64, multiple=16),
    measured=(16, 64, 64),
)
