"""Segmentation through a predicted structure: one request against its steps one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.measure import measure_objects
from napari_ssp.progress import run
from napari_ssp.service import DiameterRequest, PlanRequest, SegmentRequest, restore_request
from napari_ssp.service.planning import plan_steps

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service.through import ThroughPlan

STEP = (0.29, 0.29, 0.29)
PIXELS = np.random.default_rng(0).normal(100, 20, (2, 3, 32, 40)).astype(np.float32)
STACK = ssp.MicroscopyImage(PIXELS[0], "zyx", STEP, name="field", position=(1.0, 2.0, 3.0))


@pytest.fixture
def models(tiny_structures: Path, finding_model: Path) -> dict[str, Any]:
    """Both models, and choices by which objects are found in what an untrained one predicts."""
    return {
        "model": finding_model,
        "through": "dna",
        "through_model": tiny_structures,
        "flow_threshold": 0,
        "min_size": 4,
        "device": "cpu",
    }


def _predicted(stack: Any, model: Path, **options: Any) -> Any:
    return ssp.predict_structures(stack, "dna", model, device="cpu", **options)["dna"]


def test_it_is_what_its_steps_give_one_by_one(models: dict[str, Any]) -> None:
    found = ssp.segment(STACK, **models)
    dna = _predicted(STACK, models["through_model"])
    assert found.predicted is not None
    np.testing.assert_array_equal(np.asarray(found.predicted.data), dna)
    assert (found.predicted.axes, found.predicted.name) == ("zyx", "dna")
    own = {key: value for key, value in models.items() if not key.startswith("through")}
    expected = ssp.segment(ssp.MicroscopyImage(dna, "zyx", STEP), **own)
    assert expected.num_objects > 3
    np.testing.assert_array_equal(found.labels, expected.labels)
    table = measure_objects(
        expected.image(expected.labels),
        ssp.MicroscopyImage(dna, "zyx", STEP, ("dna",)),
        planewise=True,
    )
    assert found.table is not None
    assert {k: v.tolist() for k, v in found.table.items()} == {
        k: v.tolist() for k, v in table.items()
    }
    assert found.position == (1.0, 2.0, 3.0)


def test_a_region_of_one_plane_keeps_its_place(models: dict[str, Any]) -> None:
    movie = ssp.MicroscopyImage(PIXELS, "tzyx", STEP)
    found = ssp.segment(movie, plane=(1, 2), region=(8, 32, 16, 40), **models)
    dna = _predicted(movie, models["through_model"], time=1, region=(8, 32, 16, 40))
    assert found.predicted is not None
    np.testing.assert_array_equal(np.asarray(found.predicted.data), dna)
    assert (found.labels.shape, found.axes) == ((24, 24), "yx")
    assert (found.origin, found.full_axes) == ((1, 2, 8, 16), "tzyx")
    assert found.predicted.origin == (1, 0, 8, 16)
    assert found.table is not None
    assert set(found.table["label"]) == set(np.unique(found.labels)) - {0}


def test_each_time_point_is_predicted(models: dict[str, Any]) -> None:
    movie = ssp.MicroscopyImage(PIXELS, "tzyx", STEP)
    found = ssp.segment(movie, stacks="linked", **models)
    assert (found.axes, found.labels.shape) == ("tzyx", (2, 3, 32, 40))
    assert found.predicted is not None
    for time in range(2):
        dna = _predicted(movie, models["through_model"], time=time)
        np.testing.assert_array_equal(np.asarray(found.predicted.data[time]), dna)
    assert found.table is not None
    assert set(found.table["t"]) == {0, 1}
    assert "z" not in found.table


def test_its_provenance_makes_it_again(models: dict[str, Any]) -> None:
    found = ssp.segment(STACK, **models)
    record = found.provenance
    assert record["model"]["name"] == "finds"
    assert record["through"]["model"]["name"] == "tiny-structures"
    assert record["request"]["through"] == "dna"
    again = restore_request(record, STACK)
    assert isinstance(again, SegmentRequest)
    assert (again.through, again.through_model) == ("dna", str(models["through_model"]))
    other = {**record, "through": {**record["through"], "model": {"sha256": "0" * 64}}}
    with pytest.raises(ValueError, match=r"has changed since"):
        restore_request(other, STACK)


def test_the_plan_is_of_both_steps(models: dict[str, Any]) -> None:
    unknown = ssp.MicroscopyImage(PIXELS[0], "zyx", name="field")
    plan: Any = run(plan_steps(PlanRequest(SegmentRequest(unknown, **models))))
    through: ThroughPlan = plan
    assert through.summary.startswith("3D 3 × 32 × 40 voxels of 0.29 × 0.29 × 0.29 µm, ")
    assert "1 structure, then objects in it: 3D grey, 0.29 µm/px, 3 planes of 3" in through.summary
    (line,) = [line for line in through.warnings if "voxel size is unknown" in line]
    assert "0.29 × 0.29 × 0.29 µm" in line
    assert sum(through.room) > 4 * 5 * PIXELS[0].size


def test_what_cannot_be_done_is_said(models: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"does not know the structure 'cells'"):
        ssp.segment(STACK, **{**models, "through": "cells"})
    with pytest.raises(ValueError, match=r"no z: structures are predicted from a z-stack"):
        ssp.segment(PIXELS[0, 0], **models)
    with pytest.raises(ValueError, match=r"segments cells; it does not predict structures"):
        ssp.segment(STACK, **{**models, "through_model": models["model"]})
    with pytest.raises(ValueError, match=r"Time point 2 was asked for"):
        ssp.segment(STACK, plane=(2, 0), **models)
    with pytest.raises(ValueError, match=r"diameter .* predict 'dna' first"):
        DiameterRequest(SegmentRequest(STACK, **models))
