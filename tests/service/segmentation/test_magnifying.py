"""Stacks that become 3D objects are magnified by the size of the objects in them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import napari_ssp as ssp
from napari_ssp.progress import run
from napari_ssp.registry import find_card
from napari_ssp.service.results import MAGNIFIED
from napari_ssp.service.segmentation import magnifying
from napari_ssp.service.segmentation.beginning import begin_segmentation

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (24, 40, 64)


class Discs:
    """A network that takes what is bright for cells, with flows up the brightness."""

    def get(self, card: Any, device: Any, dtype: Any = None) -> Any:
        return self

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        grey = torch.nn.functional.avg_pool2d(windows[:, :1], 5, 1, 2)
        dy, dx = torch.gradient(grey, dim=(2, 3))
        length = torch.sqrt(dy**2 + dx**2) + 1e-4
        return torch.cat([5 * dy / length, 5 * dx / length, 20 * (windows[:, :1] - 0.3)], 1)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> str:
    """A model that knows objects twice as large as those of the stack."""
    folder = tmp_path / "sized"
    shutil.copytree(tiny_model, folder)
    replace(find_card(folder), object_diameter=36.0).write(folder)
    return str(folder)


@pytest.fixture(scope="module")
def stack() -> np.ndarray[Any, Any]:
    """Two balls, 18 voxels across where they are brighter than 0.3."""
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    away = [np.sqrt((z - 12) ** 2 + (y - 20) ** 2 + (x - at) ** 2) for at in (18, 46)]
    return np.clip(1 - np.minimum(*away) / 13, 0, 1)


def _request(stack: Any, model: str, **options: Any) -> ssp.SegmentRequest:
    options = {"axes": "zyx", "voxel_size": (1.0, 1.0, 1.0), "stacks": "volume", **options}
    return ssp.SegmentRequest(stack, model, precision="float32", **options)


def test_the_size_is_estimated_and_kept_for_another_time(model: str, stack: Any) -> None:
    found = run(begin_segmentation(_request(stack, model), Discs()))
    diameter = found.provenance["request"]["diameter"]
    assert diameter == pytest.approx(18, rel=0.15)
    assert found.num_objects == 2
    assert found.warnings[-1].startswith(MAGNIFIED)
    assert f" {diameter:.0f} px across" in found.warnings[-1]
    again = run(begin_segmentation(_request(stack, model, diameter=diameter), Discs()))
    np.testing.assert_array_equal(again.labels, found.labels)
    assert not any(warning.startswith(MAGNIFIED) for warning in again.warnings)


def test_a_plan_says_that_the_size_is_estimated(model: str, stack: Any) -> None:
    plans = [
        magnifying.plan_segmentation(_request(stack, model, **choices))
        for choices in ({}, {"diameter": 18.0}, {"stacks": "linked"})
    ]
    assert [plan.is_size_open for plan in plans] == [True, False, False]
    assert ["is estimated" in plan.summary for plan in plans] == [True, False, False]


def test_progress_counts_the_windows_of_the_magnified_stack(model: str, stack: Any) -> None:
    request = _request(stack, model, diameter=18.0)
    windows = [step for step in begin_segmentation(request, Discs()) if "windows" in step.stage]
    expected = magnifying.plan_segmentation(request).num_windows
    assert (windows[-1].done, windows[-1].total) == (expected, expected)
    done = [step.done for step in windows]
    assert done == sorted(done)


def test_a_stack_is_not_magnified_beyond_the_memory(
    model: str, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = int(1.5**3 * stack.size)
    monkeypatch.setattr(magnifying, "MOST_VOXELS", most)
    found = run(begin_segmentation(_request(stack, model), Discs()))
    zoom = 36.0 / found.provenance["request"]["diameter"]
    assert 1.4 < zoom < 1.5
    assert found.num_objects == 2


def test_the_models_own_size_where_nothing_is_found(model: str) -> None:
    found = run(begin_segmentation(_request(np.zeros(SHAPE), model), Discs()))
    assert found.num_objects == 0
    assert found.provenance["request"].get("diameter") is None


@pytest.mark.parametrize("stacks", ["planes", "linked"])
def test_planes_keep_the_models_own_size(model: str, stack: Any, stacks: str) -> None:
    found = run(begin_segmentation(_request(stack, model, stacks=stacks), Discs()))
    assert found.provenance["request"].get("diameter") is None


def test_flows_of_a_volume_are_those_of_its_planes_alone(
    model: str, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = _request(stack, model, diameter=36.0)
    together = run(begin_segmentation(request, Discs()))
    monkeypatch.setattr("napari_ssp.engine.montage.Montage._room", (1, 1))
    alone = run(begin_segmentation(request, Discs()))
    np.testing.assert_allclose(together.flows, alone.flows, atol=1e-4)
    np.testing.assert_array_equal(together.labels, alone.labels)
