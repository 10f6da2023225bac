"""Segmentation of large images by blocks, from file to file, as a command does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.cli.batch.image_batch import title
from napari_ssp.cli.reporting import USER_ERRORS, run_with_bar, say
from napari_ssp.service import plan_segmentation
from napari_ssp.service.blocks.estimate import find_needs, find_obstacle
from napari_ssp.service.blocks.grid import make_grids
from napari_ssp.service.blocks.running import UnreachableError, segment_by_blocks
from napari_ssp.service.blocks.unfinished import unfinished_folder
from napari_ssp.service.compute.lending import is_sent

if TYPE_CHECKING:
    from napari_ssp.service import ModelService, SegmentPlan, SegmentRequest
    from napari_ssp.service.blocks.running import Goal


def write_by_blocks(
    service: ModelService, request: SegmentRequest, goal: Goal
) -> tuple[str, dict[str, Any]] | None:
    """Segment an image by blocks, and give a line for a person and a row of the report.

    None where it is done in one piece: because it is small, because blocks cannot do it, or because
    workers do not see its files and its pixels can be sent.
    """
    plan = plan_segmentation(request)
    if find_obstacle(request, plan):
        return None
    needs = find_needs(request, plan, make_grids(plan))
    say(f"{title(request)}: by blocks, read where it lies: {needs.sentence}.")
    try:
        return _write(service, request, goal, plan)
    except UnreachableError as error:
        if not is_sent(plan.image):
            raise
        say(f"{title(request)}: {error} It is small enough, so its pixels are sent.")
        return None
    except (KeyboardInterrupt, *USER_ERRORS):
        if unfinished_folder(goal.path).exists():
            say(f"{title(request)}: finished blocks are kept; --resume goes on with them.")
        raise


def _write(
    service: ModelService, request: SegmentRequest, goal: Goal, plan: SegmentPlan
) -> tuple[str, dict[str, Any]]:
    name = title(request)
    result = run_with_bar(segment_by_blocks(service, request, goal, plan), name)
    for warning in result.warnings:
        say(f"{name}: {warning}")
    row = {"labels": str(goal.path), "objects": result.count, "provenance": result.provenance}
    warnings = {"warnings": list(result.warnings)} if result.warnings else {}
    return f"{result.count} objects", row | warnings
