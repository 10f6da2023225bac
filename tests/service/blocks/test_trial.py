"""Another model for a plane that is done by blocks, where the chosen one fails on one of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from strange_pictures import draw_membranes

import napari_ssp as ssp
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_label_image, write_image
from napari_ssp.progress import run
from napari_ssp.service import ModelService, SegmentRequest, SegmentZarrRequest, restore_request
from napari_ssp.service.blocks import trial
from napari_ssp.service.blocks.decision import find_decision
from napari_ssp.service.blocks.grid import make_grids
from napari_ssp.service.blocks.plan import plan_blocks
from napari_ssp.service.blocks.running import Goal, segment_by_blocks
from napari_ssp.service.blocks.unfinished import Unfinished, unfinished_folder
from napari_ssp.service.segmentation.plan import plan_segmentation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("windows_seen_once")

STARTER, OTHER = "mediar-starter", "generalist-starter"


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> SegmentRequest:
    """Request of two by two blocks with membranes, fainter ones but at the lower right."""
    one = draw_membranes()
    pixels = np.tile(one.mean() + 0.8 * (one - one.mean()), (2, 2))
    pixels[160:, 160:] = one
    path = tmp_path_factory.mktemp("slide") / "slide.ome.zarr"
    write_image(path, MicroscopyImage(pixels, "yx"))
    return SegmentRequest(path, tile=160, device="cpu")


@pytest.fixture(autouse=True)
def _tried_with_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_LEAST", 160)


@pytest.fixture(scope="module")
def by_other(slide: SegmentRequest, service: ModelService) -> Any:
    """What the model finds that the card of the first one names."""
    return service.submit(replace(slide, model=OTHER)).result().labels


def _read(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(read_label_image(path).data).squeeze()


def _stop_in_the_network(service: ModelService, request: SegmentRequest, target: Path) -> None:
    steps = segment_by_blocks(service, request, Goal(target))
    while not next(steps).stage.startswith("network"):
        pass
    steps.close()


def test_one_block_decides_and_a_run_that_was_ended_goes_on_with_that_model(
    service: ModelService, slide: SegmentRequest, by_other: Any, tmp_path: Path
) -> None:
    target = tmp_path / "cells.zarr"
    _stop_in_the_network(service, slide, target)
    unfinished = Unfinished(unfinished_folder(target))
    decision = find_decision(unfinished)
    assert decision is not None and decision.model == OTHER
    plan = plan_blocks(SegmentZarrRequest(slide, target))
    own, others = (
        make_grids(plan_segmentation(replace(slide, model=model))).seen.size
        for model in (STARTER, OTHER)
    )
    assert own != others  # they see planes of different sizes
    assert plan.resumes and plan.total == others

    with pytest.raises(ValueError, match=r"fallback was True and is False.*--overwrite"):
        kept = replace(slide, fallback=False)
        run(segment_by_blocks(service, kept, Goal(target, resume=True)))
    entry = unfinished.folder / "ledger" / "model" / "all.json"
    noted = entry.read_bytes()
    replace(decision, sha256="0").note(unfinished)
    with pytest.raises(ValueError, match=f"begun with '{OTHER}', whose weights are others now"):
        run(segment_by_blocks(service, slide, Goal(target, resume=True)))
    entry.write_bytes(noted)

    stages = []
    steps = segment_by_blocks(service, slide, Goal(target, resume=True))
    while True:
        try:
            stages.append(next(steps).stage)
        except StopIteration as end:
            result = end.value
            break
    assert not [stage for stage in stages if "model" in stage]
    np.testing.assert_array_equal(_read(target), by_other)
    assert result.count == by_other.max() > 20
    assert result.provenance["model"]["name"] == OTHER
    said = result.provenance["instead_of"]
    assert said["model"] == STARTER and said["left_out"] > 0.15
    assert list(said["region"]) == [160, 320, 160, 320]
    assert result.warnings[-1].startswith("Another model was taken")
    assert result.warnings[-1].endswith("One block decided it: y 160 to 320, x 160 to 320.")
    again: Any = restore_request(result.provenance, slide.image)
    assert (again.model, again.fallback) == (OTHER, False)


def test_a_result_of_before_goes_on_with_the_model_that_was_kept(
    service: ModelService, slide: SegmentRequest, tmp_path: Path
) -> None:
    target = tmp_path / "cells.zarr"
    _stop_in_the_network(service, replace(slide, fallback=False), target)
    assert find_decision(Unfinished(unfinished_folder(target))) is None  # nothing was tried
    path = unfinished_folder(target) / "run.json"
    description = json.loads(path.read_text())
    del description["fallback"]
    path.write_text(json.dumps(description))
    result = run(segment_by_blocks(service, slide, Goal(target, resume=True)))
    assert result.provenance["model"]["name"] == STARTER
    assert "instead_of" not in result.provenance


def test_a_model_that_does_well_does_all(service: ModelService, tmp_path: Path) -> None:
    y, x = np.mgrid[:320, :320]
    discs = (y % 40 - 20) ** 2 + (x % 40 - 20) ** 2 <= 12**2
    noise = np.random.default_rng(1).normal(20, 2, discs.shape)
    image = MicroscopyImage((noise + 150 * discs).astype(np.float32), "yx")
    path = write_image(tmp_path / "d.ome.zarr", image)
    request = SegmentRequest(path, tile=160, device="cpu")
    result = run(segment_by_blocks(service, request, Goal(tmp_path / "cells.zarr")))
    assert result.provenance["model"]["name"] == STARTER
    assert not result.warnings and result.count > 50
    whole = ssp.segment(path, tile=160, device="cpu", fallback=False)
    np.testing.assert_array_equal(_read(tmp_path / "cells.zarr"), whole.labels)
