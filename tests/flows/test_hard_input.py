"""Input at the edge of what is allowed, and beyond it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_ssp.flows import flows_to_labels, labels_to_flows
from napari_ssp.flows.cleaning import fill_small_holes, remove_small_labels, tidy_mask
from napari_ssp.flows.diffusion import consecutive

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = st.integers(1, 14)


@pytest.mark.parametrize(
    ("flows", "probability", "words"),
    [
        (np.zeros((3, 8, 9)), np.zeros((8, 9)), r"\(3, 8, 9\)"),
        (np.zeros((8, 9, 2)), np.zeros((8, 9)), r"\(8, 9, 2\)"),
        (np.zeros((2, 4, 8, 9)), np.zeros((4, 8, 9)), r"\(2, 4, 8, 9\)"),
        (np.zeros((2, 9)), np.zeros(9), r"\(2, 9\)"),
        (np.full((2, 8, 9), np.nan), np.zeros((8, 9)), "flows hold NaN"),
        (np.full((2, 8, 9), -np.inf), np.zeros((8, 9)), "flows hold NaN"),
        (np.zeros((2, 8, 9)), np.full((8, 9), np.nan), "cell probability hold NaN"),
        (np.zeros((2, 8, 9)), np.full((8, 9), -4.0), "sigmoid"),
    ],
)
def test_bad_flows_are_refused(
    flows: NDArray[np.float64], probability: NDArray[np.float64], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        flows_to_labels(flows, probability)


def test_ids_beyond_32_bits_stay_apart() -> None:
    small = np.zeros((12, 30), np.int64)
    small[2:9, 2:9], small[2:9, 10:17], small[2:9, 18:25] = 1, 2, 3
    large = np.array([0, 1, 2**32 + 1, 2**63 - 1])[small]
    np.testing.assert_array_equal(labels_to_flows(large), labels_to_flows(small))
    huge = np.array([0, 1, 2**32 + 1, 2**64 - 1], np.uint64)[small]
    np.testing.assert_array_equal(labels_to_flows(huge), labels_to_flows(small))
    np.testing.assert_array_equal(consecutive(large), small)


def test_more_than_65535_objects() -> None:
    labels = np.zeros((780, 780), np.uint32)
    y, x = np.mgrid[0:780:3, 0:780:3]
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        labels[y + dy, x + dx] = np.arange(1, y.size + 1).reshape(y.shape)
    assert y.size > 65_535
    flows = labels_to_flows(labels)
    assert np.hypot(*flows)[labels > 0].min() > 0.99
    probability = (labels > 0).astype(np.float32)
    for shift in (0, 1):  # ways of 4 pixels cannot seed an object, so that growth stops nothing
        assert flows_to_labels(np.roll(flows, shift, 1), probability, min_size=1).max() == 0


def test_more_than_65535_objects_come_back_from_their_flows() -> None:
    labels = np.zeros((235 * 5, 280 * 5), np.int64)
    for dy, dx in np.ndindex(4, 4):
        labels[dy::5, dx::5] = np.arange(1, 65_801).reshape(235, 280)
    found = flows_to_labels(5 * labels_to_flows(labels), labels > 0, min_size=1)
    assert found.max() == 65_800
    pairs = np.unique(np.stack([found.ravel(), labels.ravel()]), axis=1)
    assert pairs.shape == (2, 65_801), "every object is one object, and background is background"


def test_objects_of_one_pixel() -> None:
    labels = np.zeros((9, 9), int)
    labels[::2, ::2] = np.arange(1, 26).reshape(5, 5)
    assert not labels_to_flows(labels).any()
    found = flows_to_labels(np.zeros((2, 9, 9)), labels > 0, min_size=1)
    assert found.max() == 0  # one way seeds nothing


def test_an_object_in_far_apart_parts_costs_its_pixels_only() -> None:
    labels = np.zeros((900, 900), int)
    labels[:6, :6] = labels[-6:, -6:] = 1
    labels[400:420, 400:420] = 2
    flows = labels_to_flows(labels)
    with_heat = np.hypot(*flows)[labels == 1] > 0
    assert 30 <= with_heat.sum() <= 36  # heat stays in the part with the middle


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (2, 2)])
def test_labels_of_thin_images(shape: tuple[int, int]) -> None:
    flows = labels_to_flows(np.ones(shape, int))
    assert flows.shape == (2, *shape)
    assert np.isfinite(flows).all()
    assert not labels_to_flows(np.zeros(shape, int)).any()


def test_a_row_of_cells() -> None:
    labels = np.repeat([0, 1, 2, 0, 3], [3, 20, 20, 5, 20])[None]
    found = flows_to_labels(5 * labels_to_flows(labels), labels > 0)
    assert found.max() == 3


def test_all_foreground_with_two_cells() -> None:
    labels = np.ones((40, 60), int)
    labels[:, 30:] = 2
    found = flows_to_labels(5 * labels_to_flows(labels), np.ones((40, 60)))
    assert sorted(np.bincount(found.ravel())) == [0, 1200, 1200]


def test_one_thread_and_many_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.kron(np.arange(1, 101).reshape(10, 10), np.ones((25, 25), int))
    results = []
    for count in ("1", "3"):
        monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", count)
        flows = labels_to_flows(labels)
        noise = np.random.default_rng(0).normal(0, 1, flows.shape)
        results.append((flows, flows_to_labels(5 * flows + noise, np.ones(labels.shape))))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


@settings(deadline=None, max_examples=60)
@given(
    arrays(bool, st.tuples(SIDE, SIDE) | st.tuples(st.integers(1, 4), SIDE, SIDE)),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_tidy_masks_are_those_of_scipy(
    mask: NDArray[np.bool_], min_size: int, hole_size: int
) -> None:
    def without_small(parts: NDArray[np.bool_], below: int) -> NDArray[np.bool_]:
        numbers, _ = ndimage.label(parts)
        large = np.bincount(numbers.ravel()) >= below
        return parts & large[numbers]

    expected = without_small(~without_small(~mask, hole_size), min_size)
    np.testing.assert_array_equal(tidy_mask(mask, min_size, hole_size), expected)


@settings(deadline=None, max_examples=60)
@given(arrays(np.int32, st.tuples(SIDE, SIDE), elements=st.integers(0, 2)), st.integers(0, 9))
def test_only_holes_of_a_single_object_are_filled(
    labels: NDArray[np.int32], hole_size: int
) -> None:
    filled = fill_small_holes(labels, hole_size)
    holes, count = ndimage.label(labels == 0)
    expected = labels.copy()
    for number in range(1, count + 1):
        hole = holes == number
        around = set(labels[ndimage.binary_dilation(hole) & ~hole])
        inner = np.zeros_like(hole)
        inner[1:-1, 1:-1] = True
        if hole.sum() < hole_size and len(around) == 1 and not (hole & ~inner).any():
            expected[hole] = around.pop()
    np.testing.assert_array_equal(filled, expected)


def test_nothing_to_clean() -> None:
    empty = np.zeros((0, 4), np.int32)
    assert fill_small_holes(empty, 4).shape == (0, 4)
    assert remove_small_labels(empty, 4).shape == (0, 4)
    assert tidy_mask(empty > 0, 4).shape == (0, 4)
