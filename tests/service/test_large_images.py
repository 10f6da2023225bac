"""What a plan says of an image that takes long, or whose result has no room."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.service import (
    EstimateRequest,
    ModelService,
    PlanRequest,
    SegmentRequest,
    compartments_request,
)
from napari_ssp.service.estimating import is_long
from napari_ssp.service.requests import PredictRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def service() -> Iterator[ModelService]:
    with ModelService() as service:
        yield service


def _lazy(*shape: int, axes: str = "yx") -> MicroscopyImage:
    return MicroscopyImage(da.zeros(shape, np.uint8), axes)


def test_a_result_without_room_is_refused_before_it_is_run(
    service: ModelService,
    tiny_model: Path,
    tiny_structures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = shutil.disk_usage("/")._replace(free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    wide = SegmentRequest(_lazy(20_000, 20_000), str(tiny_model))
    # Labels of 4 bytes, three floats, and a grey level for each pixel.
    with pytest.raises(OSError, match=r"needs 6\.3 GiB, .* has 1\.0 GiB left"):
        service.submit(PlanRequest(wide)).result()
    stack = _lazy(200, 4000, 4000, axes="zyx")
    deep = PredictRequest(stack, ("dna", "nucleoli"), str(tiny_structures))
    with pytest.raises(OSError, match=r"needs 47\.\d GiB"):
        service.submit(PlanRequest(deep)).result()
    small = SegmentRequest(_lazy(2000, 2000), str(tiny_model))
    service.submit(PlanRequest(small)).result()


def test_the_time_of_a_large_image_grows_with_its_windows(
    service: ModelService, tiny_model: Path, tiny_structures: Path
) -> None:
    def estimate(request: Any) -> tuple[float, int]:
        plan: Any = service.submit(PlanRequest(request)).result()
        assert is_long(plan)
        count = getattr(plan, "num_windows", 0) or plan.num_patches
        return service.submit(EstimateRequest(request, plan)).result(), count

    first, windows = estimate(SegmentRequest(_lazy(2000, 2000), str(tiny_model)))
    twice, more = estimate(SegmentRequest(_lazy(4000, 2000), str(tiny_model)))
    assert first > 0
    assert twice / first == pytest.approx(more / windows)
    channels = {"channel": 0, "nuclei": 1}
    both = compartments_request(
        _lazy(2, 2000, 2000, axes="cyx"), str(tiny_model), str(tiny_model), **channels
    )
    plan: Any = service.submit(PlanRequest(both)).result()
    assert is_long(plan)
    total = service.submit(EstimateRequest(both, plan)).result()
    assert total == pytest.approx(2 * first)  # two runs, at the same pace
    stack = _lazy(64, 300, 300, axes="zyx")
    seconds, _ = estimate(PredictRequest(stack, ("dna",), str(tiny_structures)))
    assert seconds > 0


def test_a_small_image_needs_no_estimate(service: ModelService, tiny_model: Path) -> None:
    request = SegmentRequest(_lazy(64, 64), str(tiny_model))
    assert not is_long(service.submit(PlanRequest(request)).result())
