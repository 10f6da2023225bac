"""Objects that keep their number from plane to plane and from time point to time point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.engine.plane import boxes
from napari_ssp.flows import link_stored

if TYPE_CHECKING:
    from napari_ssp.engine.store import ArrayStore
    from napari_ssp.progress import Steps
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Side of the boxes in which labels of two planes are compared.
_LINKED_BOX = 4096


def link_planes(
    plan: SegmentPlan, labels: ArrayStore, min_overlap: float, count: int
) -> Steps[int]:
    """Link planes along z, unless objects are 3D already, then time points.

    Parameters
    ----------
    plan : SegmentPlan
        What was segmented.
    labels : ArrayStore
        (planes, Y, X), every object with a number of its own; changed in place.
    min_overlap : float
        Smallest intersection over union of what is linked.
    count : int
        How many objects there are.

    Yields
    ------
    Progress
        Between two planes.

    Returns
    -------
    int
        How many objects there are now.
    """
    parts = list(boxes(plan.shape, _LINKED_BOX))
    depth = plan.image.sizes["z"] if "z" in plan.axes else 1
    stacks = [range(k, k + depth) for k in range(0, len(plan.planes), depth)]
    if plan.volume is None and depth > 1:
        count = 0
        for stack in stacks:
            frames = [[(k, *part) for part in parts] for k in stack]
            count += yield from link_stored(labels, frames, min_overlap, count + 1)
    if len(stacks) > 1:
        frames = [[(k, *part) for k in stack for part in parts] for stack in stacks]
        count = yield from link_stored(labels, frames, min_overlap)
    return count
