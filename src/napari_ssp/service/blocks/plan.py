"""The plan of a segmentation from file to file: what it takes, and what of it is done already."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.atomic import check_folder, check_folder_target
from napari_ssp.io.scene import is_labels_name
from napari_ssp.service.blocks.decision import find_decision
from napari_ssp.service.blocks.describing import describe, find_differences
from napari_ssp.service.blocks.estimate import check_possible, find_needs
from napari_ssp.service.blocks.grid import make_grids
from napari_ssp.service.blocks.unfinished import DAMAGE, Unfinished, unfinished_folder
from napari_ssp.service.segmentation.plan import plan_segmentation

if TYPE_CHECKING:
    from napari_ssp.service.blocks.estimate import Needs
    from napari_ssp.service.blocks.grid import Grids
    from napari_ssp.service.blocks.requests import SegmentZarrRequest
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.segmentation.plan import SegmentPlan


@dataclass(frozen=True, eq=False)
class BlocksPlan:
    """A segmentation by blocks with every choice made.

    Attributes
    ----------
    segmentation : SegmentPlan
        What is segmented.
    needs : Needs
        Blocks, memory and room on the disk.
    path : pathlib.Path
        Zarr of the labels.
    resumes : bool
        Whether an unfinished result goes on.
    done, total : int
        Blocks that the network has done already, and all of them.
    """

    segmentation: SegmentPlan
    needs: Needs
    path: Path
    resumes: bool
    done: int
    total: int

    @property
    def summary(self) -> str:
        """One line for the user."""
        what = replace(self.segmentation, tile=None).summary  # the blocks come with what they need
        parts = [what, self.needs.sentence, f"written to {self.path.name}"]
        if self.resumes:
            parts.append(f"{self.done} of the network's {self.total} blocks are done already")
        return ", ".join(parts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before trusting the result."""
        return self.segmentation.warnings


def plan_blocks(request: SegmentZarrRequest) -> BlocksPlan:
    """Make every choice, and refuse what cannot be done.

    Raises
    ------
    FileExistsError
        When a result is there, or an unfinished one of another request, and not to be replaced.
    ValueError
        When the image cannot be done by blocks, or as `plan_segmentation`.
    OSError
        When the folder may not be written to, or the disk is too small.
    """
    segment = replace(request.segment, image=Path(str(request.segment.image)).absolute())
    plan = plan_segmentation(segment)
    check_possible(segment, plan)
    grids = make_grids(plan)
    needs = find_needs(segment, plan, grids)
    path = request.path.absolute()
    holder = path.parent
    if is_labels_name(path) and not holder.exists():  # made with the first labels of an image
        holder = holder.parent
        check_folder(holder)
    else:
        check_folder_target(path, request.overwrite)
    unfinished = Unfinished(unfinished_folder(path))
    if not unfinished.folder.exists():
        needs.check_disk(holder)
        return BlocksPlan(plan, needs, path, resumes=False, done=0, total=0)
    differing = _find_differences(unfinished, segment, plan, grids)
    if differing and not request.overwrite:
        raise FileExistsError(
            f"'{unfinished.folder.name}' is the unfinished result of another run: "
            f"{'; '.join(differing)}. Go on with it by choosing the same again, or choose another "
            "name, or replace it."
        )
    done = len(unfinished.finished("network")) if not differing else 0
    decision = find_decision(unfinished)
    if decision is not None and not differing:  # another model may see planes of another size
        grids = make_grids(plan_segmentation(decision.request(segment)))
    total = grids.seen.size * len(plan.planes)
    return BlocksPlan(plan, needs, path, not differing, done, total)


def _find_differences(
    unfinished: Unfinished, segment: SegmentRequest, plan: SegmentPlan, grids: Grids
) -> list[str]:
    try:
        return find_differences(unfinished.describe(), describe(segment, plan, grids))
    except DAMAGE:
        return ["it does not say what it was begun with"]
