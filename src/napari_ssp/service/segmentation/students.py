"""Segmentation by a student: one mask of all objects, which are its connected parts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import expit

from napari_ssp.engine import (
    TileSettings,
    compute_zoomed_shape,
    predict_tiles,
    resample,
    resolve_device,
)
from napari_ssp.engine.store import ArrayStore
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.segmentation.levels import read_levels
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
    from torch import nn

    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation
    from napari_ssp.service.segmentation.levels import Levels


def segment_student_steps(
    request: SegmentRequest, models: ModelCache, plan: SegmentPlan | None = None
) -> Steps[Segmentation]:
    """Segment an image plane by plane, each in memory, with a student or several.

    Objects are the connected parts of where the student is surer than the cell threshold.

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
        Without flows: they are all 0.
    """
    began = time.monotonic()
    yield Progress("reading the image")
    plan = plan or plan_segmentation(request)
    yield Progress(f"loading {plan.card.name}")
    device = resolve_device(request.device)
    students = Students([models.get(card, device) for card in plan.members])
    windows = TileSettings(
        window=plan.window,
        overlap=plan.overlap,
        batch_size=request.batch_size,
        device=device,
        views=[view.without_directions() for view in choose_views(request)],
    )
    labels = ArrayStore((len(plan.planes), *plan.shape), np.uint32)
    outputs = ArrayStore((3, *labels.shape))
    count = yield from _segment_planes(request, plan, (students, windows), (labels, outputs))
    if request.stacks == "linked":
        count = yield from link_planes(plan, labels, request.link_overlap, count)
    record = describe_run(
        {**request.provenance(), "overlap": plan.overlap},
        plan.card,
        str(device),
        time.monotonic() - began,
    )
    return assemble_planes(plan, labels.array(editable=True), outputs.array(), record, count)


@dataclass(frozen=True)
class Students:
    """Students whose logits are averaged.

    Attributes
    ----------
    networks : sequence of torch.nn.Module
        At least one.
    """

    networks: Sequence[nn.Module]

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits (N, 1, Y, X) of windows (N, 3, Y, X)."""
        logits = [network(windows) for network in self.networks]
        return torch.stack(logits).mean(dim=0).float()


def _segment_planes(
    request: SegmentRequest,
    plan: SegmentPlan,
    network: tuple[Students, TileSettings],
    stores: Stores,
) -> Steps[int]:
    """Find the objects of all planes; how many there are."""
    labels, outputs = stores
    settings, count = choose_tracking(request), 0
    for index, plane in enumerate(plan.planes):
        levels = yield from read_levels(plan, [plane])
        inside = yield from _probability(plan, levels, network)
        yield Progress("finding objects", index, len(plan.planes))
        mask = fill_holes(inside > request.cell_threshold, settings.holes)
        found = label_objects(mask, None, request.cell_threshold, request.min_size)
        slab = slice(index, index + 1)
        outputs.write((slice(2, 3), slab), inside[None, None])
        count = add_objects(labels, (slab,), found[None], count)
    return count


def _probability(
    plan: SegmentPlan, levels: Levels, network: tuple[Students, TileSettings]
) -> Steps[NDArray[np.float32]]:
    """Probability of being inside, (Y, X), on the image's own grid."""
    whole = (slice(0, plan.shape[0]), slice(0, plan.shape[1]))
    pixels, seen = levels.read(whole), compute_zoomed_shape(plan.shape, plan.zoom)
    logits = yield from predict_tiles(network[0], resample(pixels, seen), network[1])
    probability: NDArray[np.float32] = expit(resample(logits, plan.shape)[0])
    return probability
