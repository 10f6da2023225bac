"""Planes that do not fit into memory: block by block, with the result of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.special import expit

from napari_ssp.engine import compute_zoomed_shape
from napari_ssp.engine.plane import PlaneSource, boxes, predict_plane, resample_box
from napari_ssp.engine.store import ArrayStore
from napari_ssp.flows import stitch_labels
from napari_ssp.service.segmentation.tracking import await_kernels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ssp.engine.plane import PlaneStore
    from napari_ssp.engine.tiling import Tile
    from napari_ssp.progress import Steps
    from napari_ssp.service.segmentation.levels import Levels
    from napari_ssp.service.segmentation.run import PlaneOf, SegmentRun


def segment_blocks(
    run: SegmentRun, levels: Levels, outputs: PlaneOf, labels: PlaneOf, first_id: int
) -> Steps[int]:
    """Segment a plane in blocks.

    Parameters
    ----------
    run : SegmentRun
        Plan with the side of the blocks, network and settings.
    levels : Levels
        The plane.
    outputs : PlaneOf
        (3, Y, X); receives flow_y, flow_x and cell probability.
    labels : PlaneOf
        (Y, X), zeros; receives the labels.
    first_id : int
        Number of the first object.

    Yields
    ------
    Progress
        Between two batches of windows, and between two blocks.

    Returns
    -------
    int
        How many objects there are.
    """
    plan = run.plan
    assert plan.tile is not None
    seen = compute_zoomed_shape(plan.shape, plan.zoom)
    found: PlaneStore = outputs if seen == plan.shape else ArrayStore((3, *seen))

    def magnify(box: Tile) -> NDArray[np.float32]:
        return resample_box(levels.read, plan.shape, seen, box)

    def predicted(box: Tile) -> NDArray[np.float32]:
        return found.read((slice(None), *box))

    def tracked(box: Tile) -> NDArray[np.float32]:
        return outputs.read((slice(None), *box))

    source = PlaneSource(magnify, seen)
    yield from predict_plane(run.network, source, run.windows, found)
    for box in boxes(plan.shape):
        values = resample_box(predicted, seen, plan.shape, box)
        # The sigmoid comes after the averaging, as in MEDIAR.
        values[2] = expit(values[2])
        outputs.write((slice(None), *box), values)
    yield from await_kernels(run)
    return (
        yield from stitch_labels(tracked, labels, plan.shape, run.tracking, plan.tile, first_id)
    )
