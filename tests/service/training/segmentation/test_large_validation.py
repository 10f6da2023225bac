"""Plan of a training whose validation images are too large for one look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_ssp.service import TrainRequest
from napari_ssp.service.training.plan import plan_training

if TYPE_CHECKING:
    from pathlib import Path


def _write(folder: Path, side: int) -> Path:
    """Image and labels of which only the headers matter, in compressed files of few bytes."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
        pixels = np.broadcast_to(np.uint8(1), (side, side))
        path = folder / part / "slide.tif"
        tifffile.imwrite(path, pixels, compression="zlib", rowsperstrip=side)
    return folder


@pytest.mark.parametrize(("zoom", "named"), [(0.5, False), (1.0, True)])
def test_the_plan_names_what_is_scored_in_parts(tmp_path: Path, zoom: float, named: bool) -> None:
    small, large = _write(tmp_path / "a", 64), _write(tmp_path / "b", 2048)
    request = TrainRequest((small,), tmp_path / "run", validation=(large,), minutes=5, zoom=zoom)
    plan = plan_training(request)
    words = "Large, so that parts of them are scored, as many as there is time for: slide."
    assert (words in plan.warnings) == named
    assert plan.size.scored == (2048 * zoom) ** 2
    assert plan.size.shapes == ((64, 64),)


def test_a_strip_of_a_large_image_is_scored_in_parts(tmp_path: Path) -> None:
    request = TrainRequest((_write(tmp_path / "a", 3000),), tmp_path / "run", minutes=5)
    plan = plan_training(request)
    assert any(line.startswith("Large, so that parts") for line in plan.warnings)
    assert plan.size.scored == 0.25 * 3000**2


def test_a_run_by_steps_warns_of_much_that_is_scored_whole(tmp_path: Path) -> None:
    small, large = _write(tmp_path / "a", 64), _write(tmp_path / "b", 8200)
    by_steps = {"validation": (large,), "minutes": None, "steps": 5}
    plan = plan_training(TrainRequest((small,), tmp_path / "run", **by_steps))
    assert plan.warnings[0].startswith(
        "All 67 megapixels of validation images are scored eleven times"
    )
