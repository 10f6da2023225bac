"""Flows followed beside the network, as on a graphics card, on torch's own CPU device."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from skimage import data

import napari_ssp as ssp
from napari_ssp.engine import TileSettings
from napari_ssp.flows import TrackingSettings, flows_to_labels, labels_to_flows, on_device
from napari_ssp.metrics import average_precision
from napari_ssp.progress import run
from napari_ssp.service.segmentation import steps as segmentation, tracking
from napari_ssp.service.segmentation.refinement import Refinement, Thresholds
from napari_ssp.service.segmentation.run import SegmentRun
from napari_ssp.service.segmentation.tracking import (
    run_where_it_fits,
    stays_on_device,
    track_labels,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(("kind", "stays"), [("cuda:1", True), ("cpu", False), ("mps", False)])
def test_only_on_cuda_results_stay(kind: str, stays: bool) -> None:
    assert stays_on_device(torch.device(kind)) is stays


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Let results stay on the device of the network, the CPU; shapes of what torch followed."""
    followed = []
    track = on_device.track

    def noted(flows: torch.Tensor, *rest: Any) -> torch.Tensor:
        followed.append(tuple(flows.shape))
        return track(flows, *rest)

    monkeypatch.setattr(segmentation, "stays_on_device", lambda device: True)
    monkeypatch.setattr(on_device, "track", noted)
    return followed


class Cells:
    """A network that sees cells where it is bright, with flows up the brightness."""

    def get(self, *card: Any) -> Callable[[torch.Tensor], torch.Tensor]:
        return self

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        grey = torch.nn.functional.avg_pool2d(windows[:, :1], 9, 1, 4)
        dy, dx = torch.gradient(grey, dim=(2, 3))
        length = torch.sqrt(dy**2 + dx**2) + 1e-4
        return torch.cat([5 * dy / length, 5 * dx / length, 20 * (grey - 0.4)], 1)


def segment(image: Any, model: Path, **options: Any) -> ssp.Segmentation:
    request = ssp.SegmentRequest(image, str(model), **{"flow_threshold": 1.0} | options)
    return run(segmentation.segment_steps(request, Cells()))


@pytest.mark.parametrize("options", [{}, {"tta": True}, {"diameter": 30.0}])
def test_labels_are_those_of_compiled_code(
    tiny_model: Path,
    beside: list[tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
) -> None:
    image = data.coins()[:200, :300]
    if "diameter" in options:
        from napari_ssp.registry import find_card
        from napari_ssp.service.segmentation import plan

        card = replace(find_card(tiny_model), object_diameter=24.0)
        monkeypatch.setattr(plan, "find_card", lambda name: card)
    there = segment(image, tiny_model, **options)
    assert beside == [(1, 2, 200, 300)]
    monkeypatch.undo()
    if "diameter" in options:
        monkeypatch.setattr(plan, "find_card", lambda name: card)
    compiled = segment(image, tiny_model, **options)
    assert len(beside) == 1
    assert compiled.num_objects > 5
    assert average_precision(compiled.labels, there.labels, (0.9,))[0] >= 0.99
    np.testing.assert_array_equal(there.cell_probability, compiled.cell_probability)
    np.testing.assert_array_equal(there.flows, compiled.flows)


def test_what_comes_of_it_can_be_refined(tiny_model: Path, beside: list[tuple[int, ...]]) -> None:
    result = segment(data.coins()[:200, :300], tiny_model)
    chosen = Thresholds(cell_threshold=0.7, min_size=40, flow_threshold=1.0)
    found = run(Refinement(result).steps(chosen))
    alone = segment(data.coins()[:200, :300], tiny_model, cell_threshold=0.7, min_size=40)
    assert average_precision(alone.labels, found.labels, (0.9,))[0] >= 0.99


def test_stacks_and_volumes(tiny_model: Path, beside: list[tuple[int, ...]]) -> None:
    z, y, x = np.mgrid[:24, :40, :64]
    balls = [np.sqrt((z - 12) ** 2 + (y - 20) ** 2 + (x - cx) ** 2) for cx in (18, 46)]
    stack = np.clip(1 - np.minimum(*balls) / 13, 0, 1)
    assert segment(stack, tiny_model, axes="zyx", stacks="linked").num_objects == 2
    assert beside == [(1, 2, 40, 64)] * 24
    there = segment(stack, tiny_model, axes="zyx", stacks="volume")
    assert beside[24:] == [(1, 3, 24, 40, 64)]
    on_host = flows_to_labels(there.flows, there.cell_probability, flow_threshold=None)
    assert on_host.max() == 2
    assert average_precision(on_host, there.labels, (0.9,))[0] >= 0.99


def test_blocks_of_large_planes_are_followed_by_compiled_code(
    tiny_model: Path, beside: list[tuple[int, ...]]
) -> None:
    assert segment(data.coins()[:200, :300], tiny_model, tile=100).num_objects > 5
    assert beside == []


def _out_of_memory(*rest: Any) -> torch.Tensor:
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_the_processor_follows_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[5:20, 8:30] = 1
    output = np.concatenate([5 * labels_to_flows(labels), (labels > 0)[None]]).astype(np.float32)
    whole = SegmentRun(None, None, TileSettings((64, 64)), TrackingSettings(), on_device=True)  # type: ignore[arg-type]
    monkeypatch.setattr(on_device, "track", _out_of_memory)
    np.testing.assert_array_equal(track_labels(whole, torch.from_numpy(output)), labels)


@pytest.mark.parametrize(("most", "ended"), [(1e6, True), (100, False)])
def test_torch_follows_small_cells_while_kernels_are_compiled(
    monkeypatch: pytest.MonkeyPatch, most: float, ended: bool
) -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[5:20, 8:30] = 1
    output = np.concatenate([5 * labels_to_flows(labels), (labels > 0)[None]]).astype(np.float32)
    plan = SimpleNamespace(volume=None, tile=None, shape=labels.shape)
    here = SegmentRun(plan, None, TileSettings((64, 64)), TrackingSettings())  # type: ignore[arg-type]
    done, track = [], on_device.track

    def noted(*values: Any) -> torch.Tensor:
        done.append(False)
        found = track(*values)
        done[-1] = True
        return found

    monkeypatch.setattr(on_device, "track", noted)
    monkeypatch.setattr(tracking, "_MOST_HEAT_WITHOUT_KERNELS", most)
    np.testing.assert_array_equal(track_labels(here, torch.from_numpy(output)), labels)
    assert not done, "compiled code is there"
    monkeypatch.setattr(type(tracking.KERNELS), "is_under_way", True)
    np.testing.assert_array_equal(track_labels(here, torch.from_numpy(output)), labels)
    assert done == [ended], "heat spreads for long in large objects"
    far = replace(here, plan=SimpleNamespace(volume=None, tile=None, shape=(4096, 4096)))
    np.testing.assert_array_equal(track_labels(far, torch.from_numpy(output)), labels)
    assert len(done) == 1


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*rest: Any) -> torch.Tensor:
        raise RuntimeError("device-side assert triggered")

    whole = SegmentRun(None, None, TileSettings((64, 64)), TrackingSettings(), on_device=True)  # type: ignore[arg-type]
    monkeypatch.setattr(on_device, "track", broken)
    with pytest.raises(RuntimeError, match="assert"):
        track_labels(whole, torch.ones(3, 8, 9))
    with pytest.raises(RuntimeError, match="assert"):
        run_where_it_fits(broken, torch.ones(2))


def test_work_goes_on_elsewhere_when_memory_is_short() -> None:
    tries = []

    def work(values: torch.Tensor) -> torch.Tensor:
        tries.append(values)
        return _out_of_memory() if len(tries) == 1 else 2 * values

    assert run_where_it_fits(work, torch.ones(3)).tolist() == [2, 2, 2]
