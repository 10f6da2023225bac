"""Every kind of work is a request; it waits for its like only."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

import napari_ssp as ssp
from napari_ssp.image import MicroscopyImage
from napari_ssp.measure import measure_objects
from napari_ssp.metrics import Category
from napari_ssp.service import (
    CancelledError,
    CompareRequest,
    GatesRequest,
    MeasureRequest,
    ModelService,
    PlanRequest,
    PredictRequest,
    Refinement,
    RefineRequest,
    SaveObjectsRequest,
    SegmentRequest,
    SuggestRequest,
    Thresholds,
    plan_segmentation,
)
from napari_ssp.service.pipelines import Lane, find_lane
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def service() -> Iterator[ModelService]:
    with ModelService() as service:
        yield service


@pytest.fixture
def squares() -> NDArray[np.uint32]:
    labels = np.zeros((60, 80), np.uint32)
    labels[5:15, 5:15], labels[30:50, 40:70] = 3, 7
    return labels


@pytest.fixture(scope="module")
def found(tiny_model: Path) -> ssp.Segmentation:
    pixels = np.random.default_rng(0).random((90, 110), np.float32)
    return ssp.segment(pixels, str(tiny_model), cell_threshold=0.3, flow_threshold=0.0)


def test_a_plan_is_what_planning_gives(service: ModelService, tiny_model: Path) -> None:
    request = SegmentRequest(np.zeros((100, 120), np.uint8), str(tiny_model), stacks="planes")
    plan = service.submit(PlanRequest(request)).result(30)
    assert plan.summary == plan_segmentation(request).summary


def test_a_bad_request_says_so_as_a_plan(service: ModelService) -> None:
    job = service.submit(PlanRequest(SegmentRequest(np.zeros((5, 5)), "mediar-startr")))
    with pytest.raises(FileNotFoundError, match="Did you mean mediar-starter"):
        job.result(30)


def test_plans_are_made_of_what_can_be_planned(service: ModelService) -> None:
    job = service.submit(PlanRequest(GatesRequest("repmode-starter", "dna")))
    with pytest.raises(TypeError, match="got GatesRequest"):
        job.result(30)


def test_a_planned_request_opens_its_file_no_more(
    service: ModelService, tiny_model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "cells.tif"
    pixels = np.random.default_rng(1).integers(0, 255, (70, 90), np.uint8)
    tifffile.imwrite(file, pixels)
    request = SegmentRequest(file, str(tiny_model))
    plan = service.submit(PlanRequest(request)).result(30)
    loaded = replace(plan, image=MicroscopyImage(pixels, "yx"))  # type: ignore[type-var]
    file.unlink()
    labels = service.submit(request, loaded).result(60).labels
    assert np.array_equal(labels, ssp.segment(pixels, str(tiny_model)).labels)


def test_a_result_carries_the_warnings_of_its_plan(service: ModelService, tiny_model: Path) -> None:
    request = SegmentRequest(np.ones((40, 50)) + np.eye(40, 50), str(tiny_model))
    plan = service.submit(PlanRequest(request)).result(30)
    warned = replace(plan, zoom=4.0)  # type: ignore[type-var]
    assert len(warned.warnings) == 1
    assert service.submit(request, warned).result(60).warnings == warned.warnings
    assert service.submit(request).result(60).warnings == plan.warnings


def test_measuring_gives_the_table(service: ModelService, squares: NDArray[np.uint32]) -> None:
    labels, image = MicroscopyImage(squares, "yx"), MicroscopyImage(squares * 2.0, "yx", name="a")
    alone = service.submit(MeasureRequest(labels)).result(30)
    assert {k: v.tolist() for k, v in alone.items()} == {
        k: v.tolist() for k, v in measure_objects(labels).items()
    }
    both = service.submit(MeasureRequest(labels, (image, replace(image, name="b")))).result(30)
    assert both["mean_a"].tolist() == both["mean_b"].tolist() == [6.0, 14.0]


def test_images_of_one_name_all_get_columns(
    service: ModelService, squares: NDArray[np.uint32]
) -> None:
    images = [MicroscopyImage(squares * k, "yx", name="a") for k in (1.0, 2.0, 3.0)]
    labels = MicroscopyImage(squares, "yx")
    table = service.submit(MeasureRequest(labels, tuple(images))).result(30)
    means = [column[0] for name, column in table.items() if name.startswith("mean_")]
    assert means == [3.0, 6.0, 9.0]


def test_objects_are_saved(
    service: ModelService, squares: NDArray[np.uint32], tmp_path: Path
) -> None:
    labels = MicroscopyImage(squares, "yx")
    table = service.submit(MeasureRequest(labels)).result(30)
    path = service.submit(SaveObjectsRequest(tmp_path / "a.csv", labels, table)).result(30)
    assert path.read_text().splitlines()[1].startswith("3,")
    with pytest.raises(FileExistsError):
        service.submit(SaveObjectsRequest(path, labels, table)).result(30)


def test_comparing_tells_fates(service: ModelService, squares: NDArray[np.uint32]) -> None:
    truth = MicroscopyImage(squares, "yx")
    prediction = MicroscopyImage(np.where(squares == 3, 0, squares)[None], "zyx")
    found = service.submit(CompareRequest(truth, prediction)).result(30)
    assert found.fates[Category.MISSED] == "1 of 2 true objects"
    assert found.image.shape == (1, 60, 80)
    assert dict(found.scores)["F1, IoU 0.5"] == "0.667"


def test_refining_is_a_run_with_other_thresholds(
    service: ModelService, found: ssp.Segmentation, tiny_model: Path
) -> None:
    chosen = Thresholds(cell_threshold=0.5, flow_threshold=0.0)
    refined = service.submit(RefineRequest(Refinement(found), chosen)).result(60)
    pixels = np.random.default_rng(0).random((90, 110), np.float32)
    run = ssp.segment(pixels, str(tiny_model), cell_threshold=0.5, flow_threshold=0.0)
    assert np.array_equal(refined.labels, run.labels)


def test_what_the_service_does_not_know_is_refused(service: ModelService) -> None:
    @dataclass(frozen=True)
    class Strange(Request[int]):
        pass

    with pytest.raises(TypeError, match=r"The service takes SegmentRequest.*; got Strange"):
        service.submit(Strange())


@pytest.mark.parametrize(
    "others",
    [
        lambda labels, found: PlanRequest(SegmentRequest(np.zeros((20, 20)))),
        lambda labels, found: MeasureRequest(labels),
        lambda labels, found: CompareRequest(labels, labels),
        lambda labels, found: SuggestRequest(found),
        lambda labels, found: RefineRequest(Refinement(found), Thresholds()),
    ],
)
def test_nothing_quick_waits_for_a_prediction(
    tiny_model: Path, squares: NDArray[np.uint32], found: ssp.Segmentation, others: Any
) -> None:
    gate = threading.Event()
    with ModelService() as service:
        slow = service.submit(
            SegmentRequest(np.random.default_rng(3).random((64, 64)), str(tiny_model))
        )
        slow.events.progressed.connect(lambda _: gate.wait(30))
        try:
            job = service.submit(others(MicroscopyImage(squares, "yx"), found))
            assert job.result(30) is not None
            assert slow.progress.stage != "done"
        finally:
            gate.set()
        slow.result(60)


def test_a_cancelled_measurement_leaves_nothing(squares: NDArray[np.uint32]) -> None:
    gate = threading.Event()
    with ModelService() as service:
        job = service.submit(MeasureRequest(MicroscopyImage(np.stack([squares] * 9), "tyx")))
        job.events.progressed.connect(lambda _: gate.wait(30))
        job.cancel()
        gate.set()
        with pytest.raises(CancelledError):
            job.result(30)


def test_predictions_and_plans_have_lanes_of_their_own() -> None:
    predict = PredictRequest(np.zeros((4, 8, 8)), ("dna",))
    assert find_lane(predict) is Lane.COMPUTATION
    assert find_lane(PlanRequest(predict)) is Lane.PLANS


def test_scripts_and_services_share_networks(tiny_model: Path) -> None:
    from napari_ssp.service.model_service import SHARED_MODELS

    pixels = np.random.default_rng(2).random((64, 64))
    with ModelService() as first, ModelService() as second:
        first.submit(SegmentRequest(pixels, str(tiny_model))).result(60)
        network = SHARED_MODELS.get(*_key(tiny_model))
        second.close()
        ssp.segment(pixels, str(tiny_model))
        assert SHARED_MODELS.get(*_key(tiny_model)) is network, "closing another does not drop it"


def _key(model: Path) -> Any:
    import torch

    from napari_ssp.registry import find_card

    return find_card(model), torch.device("cpu"), torch.float32
