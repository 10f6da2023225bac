from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.engine.normalise import GreyStatistics, normalise_block
from napari_ssp.image import MicroscopyImage
from napari_ssp.progress import run
from napari_ssp.service import SegmentRequest
from napari_ssp.service.segmentation import levels
from napari_ssp.service.segmentation.plan import plan_segmentation

if TYPE_CHECKING:
    from pathlib import Path

PLANE = np.random.default_rng(0).integers(100, 3000, (256, 320)).astype(np.uint16)
REGION = (64, 128, 96, 224)


class Watched:
    """A level in a file, which remembers the places that were read."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.asked: list[Any] = []

    def __getitem__(self, key: Any) -> np.ndarray:
        self.asked.append(key)
        return self.data[key]


def _read(full: Watched, smaller: tuple[Watched, ...], model: Path) -> levels.Levels:
    image = MicroscopyImage(full, "yx", levels=smaller)
    request = SegmentRequest(image, str(model), region=REGION, normalise="image")
    return run(levels.read_levels(plan_segmentation(request), [(0, 0)]))


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_a_region_of_a_large_pyramid_does_not_read_the_whole_plane(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    monkeypatch.setattr(levels, "_LARGE", PLANE.size - 1)
    monkeypatch.setattr(levels, "_ENOUGH", PLANE.size // 4)
    plane = PLANE.astype(dtype)
    plane[70, 100] = 60000  # what the level does not show is as bright as its brightest
    full, half, quarter = Watched(plane), Watched(plane[1::2, 1::2]), Watched(plane[::4, ::4])
    found = _read(full, (half, quarter), tiny_model)
    y0, y1, x0, x1 = REGION
    assert full.asked == [(slice(y0, y1), slice(x0, x1))]
    assert not quarter.asked
    seen = GreyStatistics(half.data.size)
    seen.add(half.data)
    grey = seen.result()
    assert found.ranges == (grey,)
    expected = normalise_block(np.clip(plane[y0:y1, x0:x1], grey.least, grey.most), grey)
    np.testing.assert_array_equal(found.read((slice(0, 64), slice(0, 128))), expected)


def test_the_range_of_a_plane_that_is_not_large_is_its_own(tiny_model: Path) -> None:
    half = Watched(PLANE[::2, ::2])
    found = _read(Watched(PLANE), (half,), tiny_model)
    seen = GreyStatistics(PLANE.size)
    seen.add(PLANE)
    assert found.ranges == (seen.result(),)
    assert not half.asked
