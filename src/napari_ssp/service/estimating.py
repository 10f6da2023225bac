"""Estimate of how long a large image takes on this computer, before it is run."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.progress import Progress, Steps, run
from napari_ssp.registry import CELLPOSE
from napari_ssp.service.blocks.plan import BlocksPlan
from napari_ssp.service.blocks.requests import SegmentZarrRequest
from napari_ssp.service.compartments.plan import CompartmentsPlan
from napari_ssp.service.compartments.requests import CompartmentsRequest
from napari_ssp.service.planning import PlanRequest, plan_steps
from napari_ssp.service.requests import PredictRequest, Request, SegmentRequest
from napari_ssp.service.segmentation.plan import SegmentPlan
from napari_ssp.service.structures.plan import PredictionPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.results import Plan

#: From so many windows on, people want to know how long it takes before they begin.
MANY_WINDOWS = 64


@dataclass(frozen=True, eq=False)
class EstimateRequest(Request[float]):
    """Find out how many seconds a request will take; nan where that cannot be told.

    Attributes
    ----------
    request : SegmentRequest, SegmentZarrRequest, CompartmentsRequest or PredictRequest
        What is to be done.
    plan : Plan
        What it means.
    """

    request: Request[Any]
    plan: Plan


def is_long(plan: Plan) -> bool:
    """Whether a plan is of an image so large that its time should be said."""
    if isinstance(plan, CompartmentsPlan):
        return is_long(plan.cells) or is_long(plan.nuclei)
    if isinstance(plan, BlocksPlan):
        return not plan.resumes and is_long(plan.segmentation)
    if isinstance(plan, SegmentPlan):  # its windows may be larger than those of the card
        larger = math.prod(plan.window) / math.prod(plan.card.window)
        return plan.num_windows * larger >= MANY_WINDOWS
    return _windows(plan) >= MANY_WINDOWS


def estimate_steps(
    request: EstimateRequest, models: ModelCache, begin: Callable[[Request[Any]], Steps[Any]]
) -> Steps[float]:
    """Do a piece of noise, one window large, as the request would, and count its windows.

    Parameters
    ----------
    request : EstimateRequest
        What is to be done, and what it means.
    models : ModelCache
        Networks that are loaded; they remember their pace.
    begin : callable
        Starts the steps of a request.
    """
    asked, plan = request.request, request.plan
    if isinstance(asked, CompartmentsRequest) and isinstance(plan, CompartmentsPlan):
        cells, nuclei = (asked.cells, plan.cells), (asked.nuclei, plan.nuclei)
        seconds = yield from estimate_steps(EstimateRequest(*cells), models, begin)
        return seconds + (yield from estimate_steps(EstimateRequest(*nuclei), models, begin))
    if isinstance(asked, SegmentZarrRequest) and isinstance(plan, BlocksPlan):
        one = EstimateRequest(asked.segment, plan.segmentation)
        return (yield from estimate_steps(one, models, begin))
    sample = _sample(request)
    if sample is None:
        return math.nan
    key = _key(sample, plan)
    if key not in models.paces:
        windows = _windows(run(plan_steps(PlanRequest(sample))))
        for _ in range(2):  # the first one loads the network, and claims memory
            began = time.monotonic()
            with closing(begin(sample)) as steps:
                for _step in steps:
                    yield Progress("measuring the pace")
            models.paces[key] = (time.monotonic() - began) / max(windows, 1)
    return models.paces[key] * _windows(plan)


def _windows(plan: Any) -> int:
    if isinstance(plan, SegmentPlan):
        return plan.num_windows
    if isinstance(plan, PredictionPlan):
        return plan.num_patches * len(plan.tasks)
    return 0


def _sample(request: EstimateRequest) -> Any:
    """Request like another, for noise of the size of a window; None where there is no such."""
    asked, plan = request.request, request.plan
    everything: dict[str, Any] = dict.fromkeys(("channel", "region", "axes", "voxel_size"))
    if isinstance(asked, SegmentRequest) and isinstance(plan, SegmentPlan):
        if len(plan.card.axes) == 3 or plan.card.family == CELLPOSE:
            return None
        shape = tuple(max(1, round(n / plan.zoom)) for n in plan.window)
        image = MicroscopyImage(_noise(shape), "yx", plan.image.voxel_size)
        alone: dict[str, Any] = {"plane": None, "nuclei": None, "fallback": False}
        return replace(asked, image=image, stacks="planes", **alone, **everything)
    if isinstance(asked, PredictRequest) and isinstance(plan, PredictionPlan):
        image = MicroscopyImage(_noise(plan.window), "zyx")
        return replace(asked, image=image, time=0, z_range=None, **everything)
    return None


def _noise(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


def _key(sample: Any, plan: Any) -> tuple[Any, ...]:
    """Collect what the pace depends on."""
    tasks = getattr(sample, "tasks", ())
    views = tuple(getattr(sample, name, False) for name in ("tta", "eightfold", "spread"))
    where = sample.device, sample.precision
    return (plan.card.sha256, sample.image.shape, where, sample.batch_size, tasks, views)
