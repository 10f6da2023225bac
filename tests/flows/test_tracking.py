from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.flows import flows_to_labels, labels_to_flows
from napari_ssp.flows.cleaning import fill_small_holes, remove_small_labels, tidy_mask
from napari_ssp.metrics import average_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

KINDS = ["touching_disks", "rods", "huge", "tiny", "border", "concave", "dense300"]


def _disks(*centres: tuple[int, int], radius: int = 9) -> NDArray[np.int32]:
    y, x = np.mgrid[:64, :80]
    labels = np.zeros((64, 80), np.int32)
    for identity, (cy, cx) in enumerate(centres, 1):
        labels[((y - cy) ** 2 + (x - cx) ** 2 <= radius**2) & (labels == 0)] = identity
    return labels


@pytest.mark.parametrize("kind", KINDS)
def test_noisy_flows_give_the_labels_of_the_reference(
    noisy_output: Callable[[str], Any], kind: str
) -> None:
    output, golden = noisy_output(kind)
    labels = flows_to_labels(*output)
    assert average_precision(golden, labels, (0.9,))[0] >= 0.99


@pytest.mark.parametrize("kind", ["touching_disks", "rods", "huge", "border", "dense300"])
def test_perfect_flows_give_every_cell_back(kind: str) -> None:
    """The reference loses cells here, because it leaves pixels with a small flow_y behind."""
    from flow_inputs import make_labels

    labels = make_labels(kind, 0)
    probability = np.where(labels > 0, 0.95, 0.05)
    found = flows_to_labels(5 * labels_to_flows(labels), probability)
    np.testing.assert_array_equal(average_precision(labels, found, (0.5, 0.75, 0.9)), [1, 1, 1])


def test_result_is_uint32_without_gaps() -> None:
    labels = _disks((20, 20), (20, 39), (45, 50))
    found = flows_to_labels(5 * labels_to_flows(labels), (labels > 0).astype(float))
    assert found.dtype == np.uint32
    assert set(np.unique(found)) == {0, 1, 2, 3}


def test_nothing_above_the_threshold_gives_no_object() -> None:
    assert not flows_to_labels(np.ones((2, 30, 40)), np.full((30, 40), 0.4)).any()


@pytest.mark.parametrize("keep_all", [0, None])
def test_no_flow_threshold_keeps_objects_with_bad_flows(keep_all: float | None) -> None:
    labels = _disks((30, 30), (30, 60))
    flows = 5 * labels_to_flows(labels)
    flows[:, labels == 2] *= -0.2  # weak and away from the middle: a high flow error
    probability = (labels > 0).astype(np.float32)
    strict = flows_to_labels(flows, probability, flow_threshold=0.4)
    every = flows_to_labels(flows, probability, flow_threshold=keep_all)
    assert not strict[labels == 2].any()
    assert every[labels == 1].all()
    assert every.max() >= strict.max()


def test_background_keeps_no_label_and_cells_have_no_pinholes() -> None:
    labels = _disks((30, 30), (30, 50))
    noise = np.random.default_rng(0).normal(0, 0.5, (2, 64, 80)).astype(np.float32)
    found = flows_to_labels(5 * labels_to_flows(labels) + noise, (labels > 0).astype(float))
    assert not found[labels == 0].any()
    assert (found[labels > 0] == 0).mean() < 0.01


def test_small_objects_and_holes_follow_min_size() -> None:
    labels = _disks((30, 30))
    labels[5:8, 60:65] = 2  # 15 pixels
    probability = (labels > 0).astype(float)
    probability[29:32, 29:32] = 0  # a hole of 9 pixels
    flows = 5 * labels_to_flows(labels)
    found = flows_to_labels(flows, probability, min_size=16)
    assert found.max() == 1
    assert found[30, 30] == 1
    assert flows_to_labels(flows, probability, min_size=15, flow_threshold=0).max() == 2


def test_a_cell_over_the_whole_image_is_background() -> None:
    flows = 5 * labels_to_flows(np.ones((50, 60), int))
    assert flows_to_labels(flows, np.ones((50, 60))).max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_thin_images(shape: tuple[int, int]) -> None:
    found = flows_to_labels(np.zeros((2, *shape)), np.ones(shape))
    assert found.shape == shape


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flows": np.zeros((2, 5, 5))}, r"\(2, 5, 5\)"),
        ({"n_steps": 0}, "n_steps"),
        ({"min_size": -1}, "min_size"),
        ({"cell_probability": np.full((8, 9), 2.0)}, "sigmoid"),
    ],
)
def test_bad_arguments_are_refused(changes: dict[str, object], words: str) -> None:
    arguments = {"flows": np.zeros((2, 8, 9)), "cell_probability": np.zeros((8, 9))} | changes
    with pytest.raises(ValueError, match=words):
        flows_to_labels(**arguments)  # type: ignore[arg-type]


def test_tidy_mask_counts_sizes_below_the_limit() -> None:
    mask = np.zeros((20, 20), bool)
    mask[1:5, 1:5] = True  # 16 pixels stay
    mask[10:13, 10:15] = True  # 15 go
    assert tidy_mask(mask, 16).sum() == 16


def test_holes_between_two_objects_or_at_the_border_stay_open() -> None:
    labels = np.ones((12, 20), np.int32)
    labels[:, 10:] = 2
    labels[5, 10] = labels[0, 3] = labels[6, 4] = 0
    filled = fill_small_holes(labels, 16)
    assert filled[5, 10] == 0
    assert filled[0, 3] == 0
    assert filled[6, 4] == 1


def test_remove_small_labels_renumbers() -> None:
    labels = np.array([[5, 5, 5, 0, 9, 2, 2, 2]], np.int32)
    np.testing.assert_array_equal(remove_small_labels(labels, 2), [[2, 2, 2, 0, 0, 1, 1, 1]])
