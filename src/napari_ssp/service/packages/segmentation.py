"""Objects from BioImage.IO packages: of their flows, or of where they see objects."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from napari_ssp.engine import compute_zoomed_shape
from napari_ssp.engine.store import ArrayStore
from napari_ssp.flows import FlowField
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import FLOWS
from napari_ssp.service.packages.run import PackageRun, resample_grid, resize_planes
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.segmentation.linking import link_planes
from napari_ssp.service.segmentation.mask_objects import fill_holes, label_objects
from napari_ssp.service.segmentation.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.segmentation.run import (
    Stores,
    add_objects,
    assemble_planes,
    choose_tracking,
    choose_views,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation

_BOUNDARY = re.compile(r"boundar|border|edge|contour|outline", re.IGNORECASE)
_BACKGROUND = re.compile(r"background", re.IGNORECASE)


def segment_package_steps(
    request: SegmentRequest, models: ModelCache, plan: SegmentPlan | None = None
) -> Steps[Segmentation]:
    """Segment an image with a package: its planes, or its stacks, each in memory.

    Parameters
    ----------
    request : SegmentRequest
        What to segment. A package of planes does planes, linked or not; one of stacks finds 3D
        objects in the stack of each time point, which may be linked over time.
    models : ModelCache
        Where networks come from.
    plan : SegmentPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        Between two batches of windows and between two stages.

    Returns
    -------
    Segmentation
        Without flows, all 0, where the package has none.

    Raises
    ------
    ValueError
        When the request asks for what is not possible.
    """
    began = time.monotonic()
    yield Progress("reading the image")
    plan = plan or plan_segmentation(request)
    yield Progress(f"loading {plan.card.name}")
    run = PackageRun(plan.card, request, models, choose_views(request))
    labels = ArrayStore((len(plan.planes), *plan.shape), np.uint32)
    outputs = ArrayStore((3 if plan.volume is None else 4, *labels.shape))
    work = _planes if plan.volume is None else _stacks
    count = yield from work(run, request, plan, (labels, outputs))
    if request.stacks == "linked":
        count = yield from link_planes(plan, labels, request.link_overlap, count)
    record = describe_run(
        request.provenance(), plan.card, str(run.device), time.monotonic() - began
    )
    return assemble_planes(plan, labels.array(editable=True), outputs.array(), record, count)


def _planes(
    run: PackageRun, request: SegmentRequest, plan: SegmentPlan, stores: Stores
) -> Steps[int]:
    labels, outputs = stores
    count = 0
    for index, place in enumerate(plan.planes):
        scores = yield from _plane_scores(run, plan, place)
        yield Progress("finding objects", index, len(plan.planes))
        found, output = _objects(request, plan, scores)
        slab = slice(index, index + 1)
        outputs.write((slice(None), slab), output[:, None])
        count = add_objects(labels, (slab,), found[None], count)
    return count


def _plane_scores(
    run: PackageRun, plan: SegmentPlan, place: tuple[int, int]
) -> Steps[NDArray[Any]]:
    """Compute outputs for the region of a plane; the whole plane decides its levels."""
    y0, y1, x0, x1 = plan.region
    whole = run.prepared(plan.image.plane(*place, plan.channel))
    part = np.ascontiguousarray(whole[:, y0:y1, x0:x1])
    found = yield from run.compute_outputs(
        resize_planes(part, compute_zoomed_shape(plan.shape, plan.zoom))
    )
    return resize_planes(found, plan.shape)


def _stacks(
    run: PackageRun, request: SegmentRequest, plan: SegmentPlan, stores: Stores
) -> Steps[int]:
    """3D objects of each time point, in memory."""
    labels, outputs = stores
    depth, count = plan.image.sizes["z"], 0
    for first in range(0, len(plan.planes), depth):
        place = slice(first, first + depth)
        scores = yield from _stack_scores(run, plan, plan.planes[first][0])
        yield Progress("finding objects", first // depth, len(plan.planes) // depth)
        found, output = _objects(request, plan, scores)
        outputs.write((slice(3, 4), place), output[-1:])
        count = add_objects(labels, (place,), found, count)
    return count


def _stack_scores(run: PackageRun, plan: SegmentPlan, time_point: int) -> Steps[NDArray[Any]]:
    """Compute outputs for the region of a stack; the whole stack decides its levels."""
    image, (y0, y1, x0, x1) = plan.image, plan.region
    assert plan.volume is not None
    planes = range(image.sizes["z"])
    whole = run.prepared(np.stack([image.plane(time_point, z, plan.channel) for z in planes]))
    part = np.ascontiguousarray(whole[..., y0:y1, x0:x1])
    found = yield from run.compute_outputs(resample_grid(part, plan.volume, 3))
    return resample_grid(found, part.shape[1:], 1)


def _objects(
    request: SegmentRequest, plan: SegmentPlan, scores: NDArray[np.float32]
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Labels of a plane or stack, and its flows and probability (3, ...)."""
    settings = choose_tracking(request)
    if plan.card.network["output"] == FLOWS:
        output = np.concatenate([scores[:2], expit(scores[2:3])])
        return FlowField(output[:2], output[2]).labels(settings), output
    inside, boundary = _meanings(scores, plan.card.tasks)
    mask = fill_holes(inside > request.cell_threshold, settings.holes)
    found = label_objects(mask, boundary, request.cell_threshold, request.min_size)
    return found, np.stack([np.zeros_like(inside), np.zeros_like(inside), inside])


def _meanings(
    scores: NDArray[np.float32], names: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Where objects are, and their boundaries where the network sees them."""
    edges = [k for k, name in enumerate(names) if _BOUNDARY.search(name)]
    rest = [k for k, n in enumerate(names) if k not in edges and not _BACKGROUND.search(n)]
    boundary = scores[edges].max(axis=0) if edges else None
    if rest:
        return scores[rest[0]], boundary
    return 1 - scores.max(axis=0), boundary
