"""Magnification of stacks that become 3D objects, by the size of the objects in them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_ssp.service.requests import DiameterRequest
from napari_ssp.service.segmentation.diameter import diameter_steps
from napari_ssp.service.segmentation.plan import MOST_VOXELS, plan_segmentation

if TYPE_CHECKING:
    from napari_ssp.progress import Steps
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Lengths are rounded, so that a grid may have a little more voxels than its magnification says.
_ROUNDING = 0.99


def magnify_volume(
    request: SegmentRequest, models: ModelCache, plan: SegmentPlan
) -> Steps[tuple[SegmentRequest, SegmentPlan]]:
    """Estimate the size of a stack's objects, and plan to magnify it to the size the model knows.

    Parameters
    ----------
    request : SegmentRequest
        Without a diameter.
    models : ModelCache
        Where networks come from.
    plan : SegmentPlan
        Of this request, whose size is open.

    Yields
    ------
    Progress
        Stage "estimating the diameter".

    Returns
    -------
    request : SegmentRequest
        With a diameter, so that it gives the same labels another time.
    plan : SegmentPlan
        At its magnification, or the largest that there is memory for. Both are as they were where
        no object is found.
    """
    try:
        found = yield from diameter_steps(DiameterRequest(request), models)
    except ValueError:
        return request, plan
    assert plan.volume is not None
    known = plan.card.object_diameter or found
    most = plan.zoom * _ROUNDING * math.cbrt(MOST_VOXELS / math.prod(plan.volume))
    zoom = min(known / found, max(most, plan.zoom))
    request = replace(request, diameter=known / zoom)
    return request, replace(plan_segmentation(request), is_size_estimated=True)
