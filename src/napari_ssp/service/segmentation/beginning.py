"""Begin of a segmentation: libraries load, and kernels are compiled while the network computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    Parameters
    ----------
    request, models, plan
        As for `segment_steps`.
    """
    KERNELS.begin()
    yield from SEGMENTATION_LIBRARIES.steps("loading PyTorch and the network's libraries")
    from napari_ssp.service.segmentation.steps import segment_steps  # loads torch

    return (yield from segment_steps(request, models, plan))
