"""Where blocks lie, and what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.flows import stitching
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image
from napari_ssp.service import SegmentRequest, plan_segmentation
from napari_ssp.service.blocks import estimate
from napari_ssp.service.blocks.estimate import find_needs, find_obstacle
from napari_ssp.service.blocks.grid import Grid, count_up, in_quarters, make_grids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.service import SegmentPlan

    Plan = Callable[..., tuple[SegmentRequest, SegmentPlan]]


@pytest.fixture
def plan(tiny_model: Path) -> Plan:
    """Plan of a plane without pixels."""

    def make(side: int, tile: int | None = None) -> tuple[SegmentRequest, SegmentPlan]:
        pixels = np.broadcast_to(np.uint16(7), (side, side))
        request = SegmentRequest(pixels, str(tiny_model), tile=tile)
        return request, plan_segmentation(request)

    return make


def test_blocks_touch_what_lies_in_their_margin() -> None:
    grid = Grid((250, 130), 64)
    assert grid.counts == (4, 3)
    assert grid.box(3, 2) == (slice(192, 250), slice(128, 130))
    assert list(grid.touching((slice(64, 128), slice(0, 64)))) == [(1, 0)]
    assert list(grid.touching((slice(64, 128), slice(0, 64)), 1)) == [
        (row, column) for row in (0, 1, 2) for column in (0, 1)
    ]
    assert len(list(grid.touching((slice(0, 1), slice(0, 1)), 200))) == 12
    keys = sorted((*Grid((300, 200), 64).keys(1), "0-9-9"), key=in_quarters)
    assert keys[:6] == ["0-9-9", "1-0-0", "1-0-1", "1-1-0", "1-1-1", "1-0-2"]
    assert count_up([2, 0, 3]).tolist() == [1, 3, 3, 6]


@pytest.mark.parametrize(
    ("tile", "side", "chunk"), [(None, 2048, 512), (64, 64, 64), (900, 1024, 512)]
)
def test_blocks_are_whole_chunks(plan: Plan, tile: int | None, side: int, chunk: int) -> None:
    grids = make_grids(plan(20_000, tile)[1])
    assert (grids.labels[0].side, grids.chunk) == (side, chunk)
    assert [grid.side for grid in grids.labels] == [side] * 6
    assert grids.labels[-1].shape == (625, 625)
    assert grids.seen.side == 2 * side  # there are enough for many workers


def test_few_blocks_of_the_network_stay_small(plan: Plan) -> None:
    assert make_grids(plan(5000)[1]).seen.side == 2048


def test_needs_do_not_grow_with_the_image_but_for_the_disk(plan: Plan) -> None:
    small, large = (
        find_needs(request, found, make_grids(found))
        for request, found in (plan(20_000), plan(200_000))
    )
    assert small.memory == large.memory
    assert large.disk == pytest.approx(100 * small.disk, rel=0.05)
    assert large.sentence.startswith("9604 blocks of 2048 px, about ")
    assert estimate.MARGIN == stitching.MARGIN


def test_a_disk_that_is_too_small_is_refused_beforehand(plan: Plan, tmp_path: Path) -> None:
    request, found = plan(2_000_000)
    with pytest.raises(OSError, match=r"GiB left. Free some room, or choose a folder"):
        find_needs(request, found, make_grids(found)).check_disk(tmp_path)


def test_what_is_no_work_for_blocks(plan: Plan, tiny_model: Path, tmp_path: Path) -> None:
    assert find_obstacle(*plan(300, 64)) == "it is in no file"
    image = MicroscopyImage(np.zeros((3, 100, 100), np.uint8), "zyx")
    path = write_image(tmp_path / "stack.ome.zarr", image)

    def obstacle(**choices: Any) -> str | None:
        request = SegmentRequest(path, str(tiny_model), **choices)
        return find_obstacle(request, plan_segmentation(request))

    assert "small enough" in str(obstacle())
    assert obstacle(tile=64) is None
    assert "several planes" in str(obstacle(tile=64, stacks="linked"))
