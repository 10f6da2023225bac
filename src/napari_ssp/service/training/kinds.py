"""Table of the kinds of training that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest
from napari_ssp.service.training.segmentation.preparation import SEGMENTATION
from napari_ssp.service.training.structures.preparation import STRUCTURES

if TYPE_CHECKING:
    from napari_ssp.service.training.kind import TrainingKind

_KINDS: dict[type[Any], TrainingKind[Any, Any, Any]] = {
    TrainRequest: SEGMENTATION,
    TrainStructuresRequest: STRUCTURES,
}


def find_kind(request: TrainRequest | TrainStructuresRequest) -> TrainingKind[Any, Any, Any]:
    """Kind of a training, by its request."""
    return _KINDS[type(request)]
