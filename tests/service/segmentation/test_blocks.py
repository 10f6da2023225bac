"""Planes done in blocks, stacks that are linked, and volumes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from skimage import data

import napari_ssp as ssp
from napari_ssp.metrics import average_precision
from napari_ssp.progress import run
from napari_ssp.registry import find_card
from napari_ssp.service import plan_segmentation
from napari_ssp.service.segmentation import plan as plan_module
from napari_ssp.service.segmentation.steps import segment_steps

if TYPE_CHECKING:
    from pathlib import Path


class Known:
    """Where the network comes from that a test wants."""

    def __init__(self, network: Any) -> None:
        self._network = network

    def get(self, card: Any, device: Any, dtype: Any = None) -> Any:
        return self._network


@pytest.fixture(scope="module")
def analytic() -> Known:
    from analytic_model import AnalyticModel

    return Known(AnalyticModel())


def segment(models: Known, image: Any, model: Path, **options: Any) -> ssp.Segmentation:
    request = ssp.SegmentRequest(image, str(model), precision="float32", **options)
    return run(segment_steps(request, models))


@pytest.mark.parametrize("tile", [64, 200])
@pytest.mark.parametrize("tta", [False, True])
def test_blocks_give_the_result_of_the_whole(
    analytic: Known, tiny_model: Path, tile: int, tta: bool
) -> None:
    image = data.coins()[:200, :350]
    options: dict[str, Any] = {"tta": tta, "overlap": 0.25, "batch_size": 16}
    whole = segment(analytic, image, tiny_model, **options)
    blocks = segment(analytic, image, tiny_model, tile=tile, **options)
    np.testing.assert_allclose(blocks.cell_probability, whole.cell_probability, atol=1e-5)
    np.testing.assert_allclose(blocks.flows, whole.flows, atol=1e-3)
    assert blocks.num_objects == len(np.unique(blocks.labels)) - 1
    assert average_precision(whole.labels, blocks.labels, (0.9,)) >= 0.995


def test_a_narrow_region_of_a_magnifying_model_in_blocks(
    analytic: Known, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    card = replace(find_card(tiny_model), zoom=1.5)
    monkeypatch.setattr(plan_module, "find_card", lambda name: card)
    image = np.dstack([data.coins()] * 3)
    options: dict[str, Any] = {"region": (40, 75, 10, 380), "min_size": 4}
    whole = segment(analytic, image, tiny_model, **options)
    blocks = segment(analytic, image, tiny_model, tile=100, **options)
    assert blocks.labels.shape == (35, 370)
    np.testing.assert_allclose(blocks.cell_probability, whole.cell_probability, atol=1e-4)
    assert average_precision(whole.labels, blocks.labels, (0.9,)) >= 0.95


def test_large_results_are_mapped_from_a_file(
    analytic: Known, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_ssp.engine.store.MEMORY_LIMIT", 10_000)
    result = segment(analytic, data.coins()[:120, :130], tiny_model, tile=64)
    for array in (result.labels, result.flows, result.cell_probability):
        assert isinstance(array, np.memmap)
    whole = segment(analytic, data.coins()[:120, :130], tiny_model)
    np.testing.assert_array_equal(result.labels > 0, whole.labels > 0)
    result.labels[3, 4] = 77  # as painting does
    assert result.labels[3, 4] == 77


@pytest.mark.parametrize("value", [-9.0, 9.0])
def test_all_background_and_all_foreground_in_blocks(tiny_model: Path, value: float) -> None:
    def flat(windows: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.zeros_like(windows[:, :2]), windows[:, :1] * 0 + value], 1)

    result = segment(Known(flat), np.zeros((150, 30)), tiny_model, tile=64)
    assert result.num_objects == result.labels.max() == 0


def test_large_planes_go_in_blocks_by_themselves(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ssp.SegmentRequest(np.zeros((200, 300), np.uint8), str(tiny_model))
    assert plan_segmentation(request).tile is None
    monkeypatch.setattr(plan_module, "WHOLE_PLANE", 50_000)
    plan = plan_segmentation(request)
    assert plan.tile == plan_module.TILE
    assert plan.summary.endswith("in blocks of 2048 px")


def discs(windows: torch.Tensor) -> torch.Tensor:
    """Cells where it is bright, with flows up the brightness."""
    grey = torch.nn.functional.avg_pool2d(windows[:, :1], 5, 1, 2)
    dy, dx = torch.gradient(grey, dim=(2, 3))
    length = torch.sqrt(dy**2 + dx**2) + 1e-4
    return torch.cat([5 * dy / length, 5 * dx / length, 20 * (windows[:, :1] - 0.3)], 1)


def balls(shape: tuple[int, int, int], step: float, *centres: tuple[int, int, int]) -> Any:
    """Bright balls of radius 9 in a stack whose planes are ``step`` pixels apart."""
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]]
    image = np.zeros(shape)
    for cz, cy, cx in centres:
        distance = np.sqrt(((z - cz) * step) ** 2 + (y - cy) ** 2 + (x - cx) ** 2)
        image = np.maximum(image, np.clip(1 - distance / 13, 0, 1))
    return image


def test_planes_of_a_stack_are_linked(tiny_model: Path) -> None:
    stack = balls((12, 40, 64), 2.0, (6, 20, 18), (6, 20, 46))
    options: dict[str, Any] = {"axes": "zyx", "flow_threshold": 0.0}
    alone = segment(Known(discs), stack, tiny_model, **options)
    linked = segment(Known(discs), stack, tiny_model, stacks="linked", **options)
    assert alone.num_objects > 8
    assert linked.num_objects == 2
    np.testing.assert_array_equal(linked.labels > 0, alone.labels > 0)
    assert len({linked.labels[z, 20, 18] for z in (5, 6, 7)}) == 1


def test_time_points_of_stacks_are_linked(tiny_model: Path) -> None:
    first = balls((8, 40, 64), 2.0, (4, 20, 18), (4, 20, 46))
    second = balls((8, 40, 64), 2.0, (4, 22, 46))
    series = np.stack([first, second])
    options: dict[str, Any] = {"axes": "tzyx", "flow_threshold": 0.0, "stacks": "linked"}
    result = segment(Known(discs), series, tiny_model, **options)
    assert result.num_objects == 2
    assert result.labels[0, 4, 20, 46] == result.labels[1, 4, 22, 46] > 0


@pytest.mark.parametrize("step", [1.0, 3.0])
def test_a_stack_becomes_3d_objects(tiny_model: Path, step: float) -> None:
    """One ball lies above the other, so that linked planes would join them."""
    depth = round(56 / step)
    centres = [(round(15 / step), 20, 20), (round(40 / step), 20, 20), (round(28 / step), 20, 50)]
    stack = balls((depth, 40, 70), step, *centres)
    options: dict[str, Any] = {"voxel_size": (step * 0.5, 0.5, 0.5), "stacks": "volume"}
    result = segment(Known(discs), stack, tiny_model, axes="zyx", **options)
    assert result.labels.shape == result.cell_probability.shape == stack.shape
    assert result.flows.shape == (3, *stack.shape)
    assert result.num_objects == 3
    assert len({result.labels[centre] for centre in centres} - {0}) == 3
    whole = stack > 0.3
    assert (result.labels[whole] > 0).mean() > 0.8


def test_the_smallest_3d_object_is_a_ball_with_so_many_pixels_across(tiny_model: Path) -> None:
    stack = balls((40, 40, 60), 1.0, (20, 20, 16))
    stack = np.maximum(stack, balls((40, 40, 60), 1.0, (20, 20, 44)) - 0.525)
    options: dict[str, Any] = {"axes": "zyx", "stacks": "volume", "voxel_size": (1, 1, 1)}
    large, small = sorted(pixel_counts(stack, tiny_model, **options), reverse=True)
    across = np.pi * (3 * small / (4 * np.pi)) ** (2 / 3)
    assert across < 0.4 * small, "more voxels than pixels across"
    for smallest, kept in ((int(across), [small, large]), (int(across) + 1, [large])):
        found = pixel_counts(stack, tiny_model, min_size=smallest, **options)
        assert sorted(found) == kept


def pixel_counts(stack: Any, model: Path, min_size: int = 0, **options: Any) -> list[int]:
    found = segment(Known(discs), stack, model, min_size=min_size, **options)
    return np.bincount(found.labels.ravel())[1:].tolist()


def test_volumes_of_a_time_series_are_linked(tiny_model: Path) -> None:
    series = np.stack([balls((30, 36, 36), 1.0, (15, 17 + t, 17)) for t in range(2)])
    result = segment(Known(discs), series, tiny_model, axes="tzyx", stacks="volume")
    assert result.labels.shape == series.shape
    assert result.labels[0, 15, 17, 17] == result.labels[1, 15, 18, 17] == 1


def test_a_volume_of_unknown_voxel_size_is_warned_of(tiny_model: Path) -> None:
    request = ssp.SegmentRequest(
        np.zeros((4, 40, 50)), str(tiny_model), axes="zyx", stacks="volume"
    )
    doubt, warning = plan_segmentation(request).warnings
    assert "taken to be cubes" in warning
    assert plan_segmentation(replace(request, voxel_size=(2.0, 1.0, 1.0))).warnings == (doubt,)
    assert not plan_segmentation(replace(request, stacks="linked")).warnings


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        (np.zeros((40, 50)), {"stacks": "volume"}, "all z-planes"),
        (np.zeros((4, 40, 50)), {"stacks": "volume", "plane": (0, 1)}, "all z-planes"),
        (np.zeros((40, 50)), {"stacks": "cubes"}, "planes, linked, volume"),
        (np.zeros((40, 50)), {"tile": 5}, "Tile must be at least 64"),
        (
            np.broadcast_to(np.uint8(0), (600, 600, 600)),
            {"stacks": "volume"},
            "smaller region",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    tiny_model: Path, image: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        axes = "yx" if image.ndim == 2 else "zyx"
        plan_segmentation(ssp.SegmentRequest(image, str(tiny_model), axes=axes, **options))
