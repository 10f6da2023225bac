"""Memory and room on disk that a segmentation by blocks needs, known before it begins."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.registry import CELLPOSE, PACKAGE, STUDENT

if TYPE_CHECKING:
    from napari_ssp.service.blocks.grid import Grids
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Bytes of a worker with its libraries; and for each byte of the weights, as they are loaded.
_BASE, _PER_WEIGHT = 600 * 2**20, 3
#: Bytes of each pixel of a window in the network; of each pixel that is read, without its own
#: bytes; and of each that a block sees when flows are followed.
_PER_WINDOW_PIXEL, _PER_READ_PIXEL, _PER_TRACKED_PIXEL = 1500, 24, 90
#: Bytes on disk of a pixel of the network's outputs; of the objects that a block sees; and of the
#: labels: what the check left of the objects, and the result.
_PER_OUTPUT, _PER_OBJECT, _PER_LABEL = 12, 2, 8
#: Pixels around a block in which flows are followed; `napari_ssp.flows.stitching.MARGIN`, which
#: loads the compiler.
MARGIN = 262


@dataclass(frozen=True)
class Needs:
    """What a run takes.

    Attributes
    ----------
    blocks : int
        Blocks of all planes.
    side : int
        Their side, in pixels.
    memory : int
        Bytes that each worker needs at most, by our measurements.
    disk : int
        Bytes that pieces take beside the result until it is finished.
    """

    blocks: int
    side: int
    memory: int
    disk: int

    @property
    def sentence(self) -> str:
        """For the user."""
        return (
            f"{self.blocks} blocks of {self.side} px, about {self.memory / 2**30:.1f} GiB of "
            f"memory for each worker, {self.disk / 2**30:.1f} GiB of disk until it is finished"
        )

    def check_disk(self, folder: Path) -> None:
        """Refuse the disk of a folder with too little room, with an OSError."""
        free = shutil.disk_usage(folder).free
        if free < self.disk:
            raise OSError(
                f"The blocks need {self.disk / 2**30:.1f} GiB beside the result until it is "
                f"finished, but '{folder}' has {free / 2**30:.1f} GiB left. Free some room, or "
                "choose a folder on a larger disk."
            )


def find_needs(request: SegmentRequest, plan: SegmentPlan, grids: Grids) -> Needs:
    """Estimate what a run takes."""
    full, count = grids.labels[0], len(plan.planes)
    weights = sum(card.weights.stat().st_size for card in plan.members)
    window = math.prod(plan.window)
    network = _PER_WINDOW_PIXEL * max(request.batch_size, 1) * window
    network += 2 * _PER_OUTPUT * math.prod(min(grids.seen.side, n) for n in grids.seen.shape)
    read = math.prod(
        min((grids.seen.side + 2 * max(plan.window)) / plan.zoom, n) for n in plan.shape
    )
    pixel = plan.image.dtype.itemsize + plan.num_samples + _PER_READ_PIXEL
    seen = math.prod(min(full.side + 2 * MARGIN, n) for n in plan.shape)
    work = max(network + pixel * int(read), _PER_TRACKED_PIXEL * seen)
    disk = _PER_OUTPUT * math.prod(grids.seen.shape) + _PER_LABEL * math.prod(plan.shape)
    disk += _PER_OBJECT * seen * full.size
    return Needs(full.size * count, full.side, _BASE + _PER_WEIGHT * weights + work, disk * count)


def find_obstacle(request: SegmentRequest, plan: SegmentPlan) -> str | None:
    """Why an image is not done by blocks from file to file; None where it can be."""
    if not isinstance(request.image, str | Path):
        return "it is in no file"
    if plan.tile is None:
        return "its planes are small enough for one piece"
    if request.stacks != "planes" or plan.volume is not None:
        return "objects of several planes belong together"
    if request.through is not None or plan.card.family in (CELLPOSE, PACKAGE, STUDENT):
        return f"'{plan.card.name}' sees whole planes"
    return None


def check_possible(request: SegmentRequest, plan: SegmentPlan) -> None:
    """Refuse an image that is not done by blocks, with a ValueError that says why."""
    if obstacle := find_obstacle(request, plan):
        raise ValueError(f"'{request.image}' is not done by blocks: {obstacle}.")
