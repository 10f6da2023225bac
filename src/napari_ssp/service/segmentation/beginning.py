"""Begin and end of a segmentation: libraries load, kernels compile, another model may help."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_ssp.progress import Progress
from napari_ssp.service.preparing import KERNELS, SEGMENTATION_LIBRARIES

if TYPE_CHECKING:
    from napari_ssp.progress import Steps
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation
    from napari_ssp.service.segmentation.plan import SegmentPlan


def begin_segmentation(
    request: SegmentRequest, models: ModelCache, plan: SegmentPlan | None = None
) -> Steps[Segmentation]:
    """Segment as `segment_steps` does, once the libraries are there that it needs.

    Volumes are magnified by the size of their objects. Where the model fails and its card names
    another one, that one does it.

    Parameters
    ----------
    request, models, plan
        As for `segment_steps`.
    """
    KERNELS.begin()
    # The first result comes before what makes later ones quicker.
    with KERNELS.resting():
        yield from SEGMENTATION_LIBRARIES.steps("loading PyTorch and the network's libraries")
        from napari_ssp.service.segmentation.fallback import (  # load torch
            MOST_LEFT_OUT,
            choose_better,
            find_fallback,
            left_out,
        )
        from napari_ssp.service.segmentation.magnifying import magnify_volume
        from napari_ssp.service.segmentation.plan import plan_segmentation
        from napari_ssp.service.segmentation.steps import segment_steps

        plan = plan or plan_segmentation(request)
        if plan.is_size_open:
            request, plan = yield from magnify_volume(request, models, plan)
        result = yield from segment_steps(request, models, plan)
        other = find_fallback(request)
        if other is None or (share := left_out(result)) <= MOST_LEFT_OUT:
            return result
        yield Progress(f"loading {other.name}, as the first model fails here")
        asked = replace(request, model=other.name, fallback=False)
        second = yield from segment_steps(asked, models)
        return choose_better(result, second, share)
