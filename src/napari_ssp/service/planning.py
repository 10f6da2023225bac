"""Planning of requests: what a request means for its data, before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.engine.store import check_room
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.blocks.plan import plan_blocks
from napari_ssp.service.blocks.requests import SegmentZarrRequest
from napari_ssp.service.compartments.plan import CompartmentsPlan, plan_compartments
from napari_ssp.service.compartments.requests import CompartmentsRequest
from napari_ssp.service.requests import PredictRequest, Request, SegmentRequest
from napari_ssp.service.results import Plan
from napari_ssp.service.review.plan import ReviewPlan, plan_review
from napari_ssp.service.review.requests import ReviewRequest
from napari_ssp.service.segmentation.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.structures.plan import PredictionPlan, plan_prediction
from napari_ssp.service.through import ThroughPlan, plan_through
from napari_ssp.service.training.plan import plan_training
from napari_ssp.service.training.request_files import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable


def _plan_segmentation(request: SegmentRequest) -> SegmentPlan | ThroughPlan:
    return plan_segmentation(request) if request.through is None else plan_through(request)


_PLANNERS: dict[type[Request[Any]], Callable[[Any], Plan]] = {
    SegmentRequest: _plan_segmentation,
    SegmentZarrRequest: plan_blocks,
    CompartmentsRequest: plan_compartments,
    PredictRequest: plan_prediction,
    ReviewRequest: plan_review,
    **dict.fromkeys(TASKS.values(), plan_training),
}
#: Plans that tell how much room their arrays need.
_WITH_ROOM = (SegmentPlan, CompartmentsPlan, PredictionPlan, ThroughPlan, ReviewPlan)


@dataclass(frozen=True, eq=False)
class PlanRequest(Request[Plan]):
    """Find out what a request means; pixels are not read.

    Attributes
    ----------
    request : SegmentRequest, SegmentZarrRequest, PredictRequest or another that has a plan
        What is to be done.
    """

    request: Request[Any]


def plan_steps(request: PlanRequest) -> Steps[Plan]:
    """Plan a request; files are found, and their headers read.

    Raises
    ------
    TypeError
        When the request is of a kind that needs no plan.
    ValueError, TypeError, OSError
        When the request cannot be done; the message says why.
    """
    kind = type(request.request)
    if kind not in _PLANNERS:
        names = ", ".join(known.__name__ for known in _PLANNERS)
        raise TypeError(f"Plans are made of {names}; got {kind.__name__}.")
    yield Progress("looking at the data")
    plan = _PLANNERS[kind](request.request)
    if isinstance(plan, _WITH_ROOM):
        check_room(plan.room)
    return plan
