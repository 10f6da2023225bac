"""The trial of a model on one block, before all blocks are made."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import find_card
from napari_ssp.service.blocks.decision import Decision
from napari_ssp.service.blocks.grid import Grid
from napari_ssp.service.jobs import JobState
from napari_ssp.service.results import FELL_BACK

if TYPE_CHECKING:
    from napari_ssp.service.blocks.grid import Grids
    from napari_ssp.service.model_service import ModelService
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.segmentation.plan import SegmentPlan

# Seconds between two looks whether the trial is done.
_PAUSE = 0.02
# Blocks that are compared, and the side of what is read in the middle of each.
_COMPARED, _SIDE = 64, 256
# Side that a block is tried with at least: a network does worse where it sees little around cells.
_LEAST = 1024


def decide_steps(
    service: ModelService, request: SegmentRequest, plan: SegmentPlan, grids: Grids
) -> Steps[Decision]:
    """Segment one block as an image of its own, whose model is to do all.

    It is the block of the middle plane that shows most, so no empty corner of a slide.
    """
    plane = plan.middle_plane
    y, x = yield from _find_busiest(plan, plane, grids)
    region = (y.start, y.stop, x.start, x.stop)
    job = service.submit(replace(request, plane=plane, region=region))
    try:
        while job.state in (JobState.QUEUED, JobState.RUNNING):
            yield Progress("trying the model on one block")
            time.sleep(_PAUSE)
        found = job.result(0)
    finally:
        job.cancel()
    instead_of = found.provenance.get("instead_of")
    said = [line for line in found.warnings if line.startswith(FELL_BACK)]
    if instead_of is not None:
        instead_of = {**instead_of, "plane": plane, "region": region}
        said.append(f"One block decided it: y {y.start} to {y.stop}, x {x.start} to {x.stop}.")
    card = find_card(found.provenance["model"]["name"] if instead_of else request.model)
    return Decision(card.name, card.sha256, instead_of, " ".join(said))


def _find_busiest(
    plan: SegmentPlan, plane: tuple[int, int], grids: Grids
) -> Steps[tuple[slice, slice]]:
    """Find the block, in pixels of the image, whose middle varies most; of equals the first."""
    grid, (top, _, left, _) = Grid(plan.shape, max(grids.labels[0].side, _LEAST)), plan.region
    # Those at the lower and right edge may be too small to tell.
    whole = [range(max(n // grid.side, 1)) for n in grid.shape]
    places = list(product(*whole))
    compared = places[:: ceil(len(places) / _COMPARED)]
    found: list[tuple[float, tuple[slice, slice]]] = []
    for row, column in compared:
        yield Progress("looking for a block to try the model on", len(found), len(compared))
        rows, columns = grid.box(row, column)
        block = _moved(rows, top), _moved(columns, left)
        pixels = plan.image.plane(*plane, plan.channel, (*_middle(block[0]), *_middle(block[1])))
        found.append((float(np.nan_to_num(pixels.astype(np.float32)).std()), block))
    return max(found, key=lambda one: one[0])[1]


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _middle(part: slice) -> tuple[int, int]:
    """First and last place of what is read of a block."""
    margin = max(part.stop - part.start - _SIDE, 0) // 2
    return part.start + margin, part.stop - margin
