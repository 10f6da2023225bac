"""The torch code of graphics cards, run on torch's own CPU device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_ssp.flows import (
    TrackingSettings,
    batch_to_labels,
    flows_to_labels,
    labels_to_flows,
)
from napari_ssp.flows.cleaning import fill_small_holes, tidy_mask
from napari_ssp.flows.grid import Grid
from napari_ssp.flows.on_device import follow, track, track_batch
from napari_ssp.flows.parts_on_device import fill_holes, flip_small
from napari_ssp.metrics import average_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DEFAULT = TrackingSettings()
KINDS = ["touching_disks", "rods", "huge", "tiny", "border", "concave", "dense300"]


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_those_of_the_reference_and_of_the_cpu(
    noisy_output: Callable[[str], Any], kind: str
) -> None:
    output, golden = noisy_output(kind)
    found = track_batch(output[:1], output[1:], DEFAULT, 200, "cpu")[0]
    assert found.dtype == np.uint32
    assert average_precision(golden, found, (0.9,))[0] >= 0.99
    assert (found == flows_to_labels(*output)).mean() > 0.999


def _images(shape: tuple[int, int] = (64, 72)) -> tuple[list[NDArray[np.float32]], ...]:
    """Images with objects of very different sizes, so that their flow checks differ in steps."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    flows, probabilities = [], []
    for seed, radius in enumerate((7, 26, 0, 12)):
        labels = ((y - 30) ** 2 + (x - 30) ** 2 <= radius**2) & (radius > 0)
        labels = labels.astype(np.int32)
        labels[48:58, 60:70] = 2
        noise = np.random.default_rng(seed).normal(0, 0.4, (2, *shape)).astype(np.float32)
        flows.append(5 * labels_to_flows(labels) + noise)
        probabilities.append(np.where(labels > 0, 0.9, 0.1).astype(np.float32))
    return flows, probabilities


def test_a_batch_gives_what_each_image_gives_alone() -> None:
    flows, probabilities = _images()
    together = track_batch(flows, probabilities, DEFAULT, 200, "cpu")
    for flow, probability, labels in zip(flows, probabilities, together, strict=True):
        np.testing.assert_array_equal(labels, flows_to_labels(flow, probability))
    on_cpu = batch_to_labels(flows, probabilities)
    np.testing.assert_array_equal(np.stack(on_cpu), np.stack(together))


def _plainly_followed(grid: Grid, unit: torch.Tensor, starts: torch.Tensor, n: int) -> torch.Tensor:
    """Every pixel takes every step, one image after the other."""
    size = torch.tensor(grid.shape[1:], dtype=torch.float32)
    planes = len(size) == 2
    ends = []
    for k in range(len(unit)):
        own = starts[starts // grid.pixels == k]
        place = grid.places(own).float()
        for _ in range(n):
            view = place * (2 / (size - 1)) - 1 if planes else place * (2 / size) + (1 / size - 1)
            view = view.flip(-1).reshape(1, *(1,) * (len(size) - 1), -1, len(size))
            step = torch.nn.functional.grid_sample(unit[k : k + 1], view, align_corners=False)
            place = (place + step.reshape(len(size), -1).T).clamp(min=0).minimum(size - 1)
        ends.append(grid.flat(torch.full_like(own, k), place.long()))
    return torch.cat(ends)


@pytest.mark.parametrize("shape", [(3, 40, 44), (2, 9, 20, 22)])
@pytest.mark.parametrize("n_steps", [0, 1, 2, 8, 9, 31, 200, 201])
def test_pixels_at_rest_leave_the_loop_and_end_where_they_would(
    shape: tuple[int, ...], n_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 9 pixels flow to their centres; one image of the batch holds no cell."""
    grid, axes = Grid(shape), len(shape) - 1
    blocks = np.indices(shape[1:]) // 9
    labels = np.ravel_multi_index(tuple(blocks), tuple(blocks.reshape(axes, -1).max(1) + 1)) + 1
    unit = torch.from_numpy(labels_to_flows(labels)).expand(shape[0], -1, *shape[1:]).clone()
    mask = torch.ones(shape, dtype=torch.bool)
    mask[1] = False
    unit[1] = 0
    starts = mask.reshape(-1).nonzero()[:, 0]
    sizes = []
    sample = torch.nn.functional.grid_sample

    def counted(field: torch.Tensor, view: torch.Tensor, **how: bool) -> torch.Tensor:
        sizes.append(view.numel() // axes)
        return sample(field, view, **how)

    expected = _plainly_followed(grid, unit, starts, n_steps)
    monkeypatch.setattr("napari_ssp.flows.on_device.functional.grid_sample", counted)
    found = follow(grid, unit, starts, n_steps)
    assert torch.equal(found, expected)
    if n_steps >= 200:
        assert sizes[-1] < 0.9 * sizes[0]


def test_tensors_are_taken_as_they_are() -> None:
    flows, probabilities = (torch.from_numpy(np.stack(part)) for part in _images())
    labels = track(flows, probabilities, DEFAULT)
    assert labels.dtype == torch.int64
    np.testing.assert_array_equal(labels[1], flows_to_labels(flows[1], probabilities[1]))
    found = track_batch(flows.requires_grad_(), probabilities, DEFAULT, 200, "cpu")
    np.testing.assert_array_equal(np.stack(found), labels)


@pytest.mark.parametrize(
    "chosen",
    [
        TrackingSettings(flow_threshold=None),
        TrackingSettings(cell_threshold=0.95),
        TrackingSettings(min_size=200),
        TrackingSettings(min_size=0, hole_size=30),
    ],
)
def test_settings_have_the_same_meaning(chosen: TrackingSettings) -> None:
    flows, probabilities = _images()
    found = track_batch(flows, probabilities, chosen, 200, "cpu")
    np.testing.assert_array_equal(
        np.stack(found), np.stack(batch_to_labels(flows, probabilities, chosen))
    )


def test_volumes() -> None:
    place = np.indices((20, 30, 40))
    labels = np.zeros(place.shape[1:], np.int32)
    for identity, centre in enumerate(((9, 10, 10), (9, 10, 23), (10, 21, 30)), 1):
        labels[sum((place[a] - centre[a]) ** 2 for a in range(3)) <= 49] = identity
    flows = 5 * labels_to_flows(labels)
    probability = (labels > 0).astype(np.float32)
    found = track_batch([flows], [probability], DEFAULT, 200, "cpu")[0]
    on_cpu = flows_to_labels(flows, probability)
    np.testing.assert_array_equal(average_precision(on_cpu, found, (0.99,)), [1])
    np.testing.assert_array_equal(average_precision(labels, found, (0.9,)), [1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (0, 5), (2, 3)])
def test_thin_and_empty_images(shape: tuple[int, int]) -> None:
    flows, probability = np.zeros((2, *shape)), np.ones(shape)
    found = track_batch([flows], [probability], DEFAULT, 200, "cpu")[0]
    np.testing.assert_array_equal(found, flows_to_labels(flows, probability))


@pytest.mark.parametrize("seed", range(4))
def test_random_masks_and_holes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 40, 50)) > 0.45
    tensor = flip_small(flip_small(torch.from_numpy(mask), False, 9), True, 12)
    expected = [tidy_mask(plane, 12, 9) for plane in mask]
    np.testing.assert_array_equal(tensor, np.stack(expected))
    labels = np.kron(rng.integers(0, 3, (3, 8, 10)), np.ones((1, 5, 5), int)) * mask
    filled = fill_holes(torch.from_numpy(labels), 9)
    expected = [fill_small_holes(plane.astype(np.int32), 9) for plane in labels]
    np.testing.assert_array_equal(filled, np.stack(expected))


def test_bad_input_is_refused() -> None:
    flows, probability = np.zeros((2, 8, 9)), np.zeros((8, 9))
    with pytest.raises(ValueError, match=r"\(2, 8, 9\)"):
        track_batch([flows], [probability[:5]], DEFAULT, 200, "cpu")
    with pytest.raises(ValueError, match="one shape"):
        track_batch([flows, flows[:, :5]], [probability, probability[:5]], DEFAULT, 200, "cpu")
    with pytest.raises(ValueError, match="NaN"):
        track_batch([flows * np.nan], [probability], DEFAULT, 200, "cpu")
    with pytest.raises(ValueError, match="sigmoid"):
        track_batch([flows], [probability - 3], DEFAULT, 200, "cpu")
    with pytest.raises(ValueError, match="2 and 1"):
        batch_to_labels([flows, flows], [probability])
    assert batch_to_labels([], [], device="cuda") == []
