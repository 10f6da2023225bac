"""Table of the kinds of training that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.service.training.critic.preparation import CRITIC_KIND
from napari_ssp.service.training.critic.requests import TrainCriticRequest
from napari_ssp.service.training.expansion.preparation import (
    EXPANSION_KIND,
    STUDENT_KIND,
    TEACHER_KIND,
)
from napari_ssp.service.training.expansion.requests import (
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest
from napari_ssp.service.training.segmentation.preparation import SEGMENTATION
from napari_ssp.service.training.structures.preparation import STRUCTURES

if TYPE_CHECKING:
    from napari_ssp.service.training.kind import TrainingKind
    from napari_ssp.service.training.request_files import Training

_KINDS: dict[type[Any], TrainingKind[Any, Any, Any]] = {
    TrainRequest: SEGMENTATION,
    TrainStructuresRequest: STRUCTURES,
    TrainTeacherRequest: TEACHER_KIND,
    TrainStudentRequest: STUDENT_KIND,
    TrainExpansionRequest: EXPANSION_KIND,
    TrainCriticRequest: CRITIC_KIND,
}


def find_kind(request: Training) -> TrainingKind[Any, Any, Any]:
    """Kind of a training, by its request."""
    return _KINDS[type(request)]
