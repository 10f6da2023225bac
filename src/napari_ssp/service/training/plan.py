"""Plan of a training of any kind: its files, and what would be done with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest
from napari_ssp.service.training.segmentation.plan import SEGMENTATION_PLANNER
from napari_ssp.service.training.structures.plan import STRUCTURES_PLANNER

if TYPE_CHECKING:
    from napari_ssp.service.results import TrainingPlan
    from napari_ssp.service.training.kind import TrainingPlanner

_PLANNERS: dict[type[Any], TrainingPlanner[Any, Any]] = {
    TrainRequest: SEGMENTATION_PLANNER,
    TrainStructuresRequest: STRUCTURES_PLANNER,
}


def plan_training(request: TrainRequest | TrainStructuresRequest) -> TrainingPlan:
    """Check a training and say what it would do; reads names and headers only.

    Raises
    ------
    FileNotFoundError, ValueError
        When data or the base model cannot be used. All problems are listed together.
    """
    planner = _PLANNERS[type(request)]
    base = planner.base_card(request)
    files = planner.find_files(request, base)
    return replace(planner.describe(request, base, files), base=base, files=files)
