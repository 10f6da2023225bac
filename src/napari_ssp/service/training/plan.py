"""Plan of a training of any kind: its files, and what would be done with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.networks.arguments import check_arguments
from napari_ssp.registry.card_checks import check_stored_name
from napari_ssp.service.training.critic.plan import CRITIC_PLANNER
from napari_ssp.service.training.critic.requests import TrainCriticRequest
from napari_ssp.service.training.expansion.plan import MASK_PLANNER
from napari_ssp.service.training.expansion.requests import (
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest
from napari_ssp.service.training.segmentation.plan import SEGMENTATION_PLANNER
from napari_ssp.service.training.structures.plan import STRUCTURES_PLANNER

if TYPE_CHECKING:
    from napari_ssp.service.results import TrainingPlan
    from napari_ssp.service.training.kind import TrainingPlanner, Workload
    from napari_ssp.service.training.request_files import Training

_PLANNERS: dict[type[Any], TrainingPlanner[Any, Any]] = {
    TrainRequest: SEGMENTATION_PLANNER,
    TrainStructuresRequest: STRUCTURES_PLANNER,
    TrainTeacherRequest: MASK_PLANNER,
    TrainStudentRequest: MASK_PLANNER,
    TrainExpansionRequest: MASK_PLANNER,
    TrainCriticRequest: CRITIC_PLANNER,
}


def find_planner(request: Training) -> TrainingPlanner[Any, Any]:
    """How a training is planned, by its request."""
    return _PLANNERS[type(request)]


def find_workload(request: TrainRequest | TrainStructuresRequest) -> Workload[Any]:
    """Find what the pace of a training depends on."""
    workload = find_planner(request).workload
    assert workload is not None
    return workload


def _check_model(request: Training) -> None:
    """Refuse a name or a network that the card of the new model could not have."""
    check_stored_name(request.name)
    if isinstance(request, TrainStructuresRequest):
        arguments: dict[str, Any] = {"base_channels": request.stacks.base_channels}
        check_arguments("repmode", arguments)
    elif isinstance(request, TrainRequest) and request.base is None:
        network = request.network
        arguments = {
            "encoder": network.encoder,
            "decoder_channels": network.decoder_channels,
            "pab_channels": network.pab_channels,
        }
        check_arguments("mediar", arguments)


def plan_training(request: Training) -> TrainingPlan:
    """Check a training and say what it would do; reads names and headers only.

    Raises
    ------
    FileNotFoundError, ValueError
        When data or the base model cannot be used. All problems are listed together.
    """
    _check_model(request)
    planner = find_planner(request)
    base = planner.base_card(request)
    files = planner.find_files(request, base)
    return replace(planner.describe(request, base, files), base=base, files=files)
