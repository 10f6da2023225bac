"""Segmentation, step by step: read, normalise, windows, flows to labels, links."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_ssp.engine import (
    TileSettings,
    average_networks,
    compute_dtype,
    compute_zoomed_shape,
    floored_gaussian_window,
    predict_tensor,
    resample_tensor,
    resolve_device,
)
from napari_ssp.engine.memory import move_values
from napari_ssp.engine.store import ArrayStore
from napari_ssp.labels import number_from
from napari_ssp.progress import Progress, Steps, count_through
from napari_ssp.service.preparing import KERNELS
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.segmentation.blocks import segment_blocks
from napari_ssp.service.segmentation.levels import read_levels
from napari_ssp.service.segmentation.linking import link_planes
from napari_ssp.service.segmentation.plan import SegmentPlan, plan_segmentation
from napari_ssp.service.segmentation.run import (
    PlaneOf,
    SegmentRun,
    assemble_planes,
    choose_tracking,
    choose_views,
    warn_of_few,
)
from napari_ssp.service.segmentation.tracking import (
    await_kernels,
    can_do_without_kernels,
    run_where_it_fits,
    stays_on_device,
    track_labels,
)
from napari_ssp.service.segmentation.volume import segment_volume

if TYPE_CHECKING:
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation
    from napari_ssp.service.segmentation.levels import Levels


def segment_steps(
    request: SegmentRequest, models: ModelCache, plan: SegmentPlan | None = None
) -> Steps[Segmentation]:
    """Segment an image, plane by plane or as volumes.

    Parameters
    ----------
    request : SegmentRequest
        What to segment and how.
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
        Labels, flows and cell probability of the asked planes and region.
    """
    began = time.monotonic()
    yield Progress("reading the image")
    plan = plan or plan_segmentation(request)
    if not can_do_without_kernels(plan):
        KERNELS.go_on()
    yield Progress(f"loading {plan.card.name}")
    device = resolve_device(request.device)
    run = prepare_run(request, plan, models, device)
    labels = ArrayStore((len(plan.planes), *plan.shape), np.uint32)
    outputs = ArrayStore((3 if plan.volume is None else 4, *labels.shape))
    if plan.volume is None:
        count, few = yield from _segment_planes(run, labels, outputs)
    else:
        count, few = yield from _segment_volumes(run, labels, outputs)
    if request.stacks != "planes":
        count = yield from link_planes(plan, labels, request.link_overlap, count)
    asked = {**request.provenance(), "overlap": plan.overlap}  # a card may change its mind
    record = describe_run(asked, plan.card, str(device), time.monotonic() - began)
    drawn_on = labels.array(editable=True)
    result = assemble_planes(plan, drawn_on, outputs.array(), record, count)
    return replace(result, warnings=(*result.warnings, *warn_of_few(plan, few)))


def prepare_run(
    request: SegmentRequest, plan: SegmentPlan, models: ModelCache, device: torch.device
) -> SegmentRun:
    """Load the networks of a plan, and make all choices that need them."""
    dtype = compute_dtype(request.precision, device)
    networks = [models.get(card, device, dtype) for card in plan.members]
    windows = TileSettings(
        window=plan.window,
        overlap=plan.overlap,
        batch_size=request.batch_size,
        device=device,
        importance=floored_gaussian_window,
        views=choose_views(request),
    )
    network = average_networks(networks, dtype)
    return SegmentRun(plan, network, windows, choose_tracking(request), stays_on_device(device))


def _segment_planes(
    run: SegmentRun, labels: ArrayStore, outputs: ArrayStore
) -> Steps[tuple[int, int]]:
    """Find objects plane by plane; how many, and in how many planes they cover little."""
    planes, count, few = run.plan.planes, 0, 0
    work = _segment_whole if run.plan.tile is None else segment_blocks
    for index, plane in enumerate(planes):
        levels = yield from read_levels(run.plan, [plane])
        few += levels.is_little
        places = PlaneOf(outputs, 1, index), PlaneOf(labels, 0, index)
        count += yield from count_through(work(run, levels, *places, count + 1), index, len(planes))
    return count, few


def _segment_whole(
    run: SegmentRun, levels: Levels, outputs: PlaneOf, labels: PlaneOf, first_id: int
) -> Steps[int]:
    """Do what `segment_blocks` does, in one piece."""
    plan = run.plan
    whole = (slice(0, plan.shape[0]), slice(0, plan.shape[1]))
    seen = compute_zoomed_shape(plan.shape, plan.zoom)
    pixels = move_values(torch.from_numpy(levels.read(whole)), run.results_on)
    zoomed = run_where_it_fits(lambda planes: resample_tensor(planes, seen), pixels)
    output = yield from predict_tensor(run.network, zoomed, run.windows, run.results_on)
    output = run_where_it_fits(lambda planes: resample_tensor(planes, plan.shape), output)
    # The sigmoid comes after the averaging, as in MEDIAR.
    output[2].sigmoid_()
    yield from await_kernels(run)
    yield Progress("tracking flows")
    found = track_labels(run, output)
    outputs.write((slice(None), *whole), output.cpu().numpy())
    labels.write(whole, number_from(found, first_id))
    return int(found.max(initial=0))


def _segment_volumes(
    run: SegmentRun, labels: ArrayStore, outputs: ArrayStore
) -> Steps[tuple[int, int]]:
    """Find objects stack by stack; how many, and in how many planes they cover little."""
    planes, depth = run.plan.planes, run.plan.image.sizes["z"]
    count = few = 0
    for first in range(0, len(planes), depth):
        levels = yield from read_levels(run.plan, planes[first : first + depth])
        few += depth * levels.is_little
        steps = segment_volume(run, levels, outputs, labels, (first, count + 1))
        count += yield from count_through(steps, first // depth, len(planes) // depth, "volume")
    return count, few
