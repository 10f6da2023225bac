from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.labels import (
    check_label_type,
    check_labels,
    explain_shapes,
    has_one_number,
    known_labels,
    number_from,
    number_labels,
    number_parts,
    warn_of_masks,
    whole_numbers,
)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=6)
#: Ids in a table, and ids that only sorting can tell apart.
LABELS = st.one_of(
    hnp.arrays(
        st.sampled_from(["u1", "i2", "u4", "i8", ">u2"]), SHAPES, elements=st.integers(0, 9)
    ),
    hnp.arrays("u4", SHAPES, elements=st.integers(0, 2**32 - 1)),
    hnp.arrays("i8", SHAPES, elements=st.sampled_from([0, 7, 300, 2**40])),
    hnp.arrays("u8", SHAPES, elements=st.sampled_from([0, 1, 2**64 - 1])),
    hnp.arrays("?", SHAPES),
)


@given(LABELS, st.booleans())
def test_objects_are_numbered_in_the_order_of_their_ids(labels: np.ndarray, turned: bool) -> None:
    labels = labels.T if turned else labels  # not contiguous
    before = labels.copy()
    ids, numbers = number_labels(labels)
    assert numbers.dtype == np.int32
    assert numbers.shape == labels.shape
    assert ids.tolist() == sorted(set(labels[labels > 0].tolist()))
    assert set(numbers[numbers > 0].tolist()) == set(range(1, ids.size + 1))
    np.testing.assert_array_equal(numbers == 0, labels == 0)
    np.testing.assert_array_equal(ids[numbers[numbers > 0] - 1], labels[labels > 0])
    np.testing.assert_array_equal(labels, before)


@given(LABELS)
def test_what_is_numbered_stays_as_it_is(labels: np.ndarray) -> None:
    _, numbers = number_labels(labels)
    ids, again = number_labels(numbers)
    np.testing.assert_array_equal(again, numbers)
    assert ids.tolist() == list(range(1, ids.size + 1))


@given(hnp.arrays("i4", SHAPES, elements=st.integers(0, 9)), st.integers(1, 2**31))
def test_numbers_go_on_from_an_id(labels: np.ndarray, first_id: int) -> None:
    moved = number_from(labels, first_id)
    assert moved.dtype == np.uint32
    expected = np.where(labels > 0, labels.astype(np.int64) + first_id - 1, 0)
    np.testing.assert_array_equal(moved, expected)


def test_labels_are_given_as_they_are() -> None:
    labels = np.array([[0, 300], [2**40, 0]])
    assert check_labels(labels) is labels
    assert check_labels(np.zeros((0, 3), np.int8)).shape == (0, 3)
    assert check_labels([[0, 1]]).tolist() == [[0, 1]]


def test_what_is_no_label_image_is_refused() -> None:
    with pytest.raises(TypeError, match=r"The labels have dtype float64, but labels are integers"):
        check_labels(np.full((2, 2), 0.5))
    with pytest.raises(TypeError, match=r"The truth has dtype bool.*a mask.*--number-parts"):
        check_label_type(np.dtype(bool), "truth")
    with pytest.raises(ValueError, match=r"The labels hold the negative number -3. Use 0 for"):
        check_labels(np.array([[1, -3]]))
    with pytest.raises(ValueError, match=r"The truth holds the negative label -3. Use 0 for"):
        check_labels(np.array([[1, -3]], np.int8), "truth")


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8"])
def test_floats_that_are_whole_are_labels_exactly(dtype: str) -> None:
    highest = 2048 if dtype == "f2" else 2**24 - 1
    found = whole_numbers(np.array([[0, -1], [1, highest]], dtype))
    assert found.dtype == np.int32
    assert found.tolist() == [[0, -1], [1, highest]]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.37, r"of these one is 0.37\. .*a probability map, segment it"),
        (8.5, r"of these one is 8.5\. .*an image, segment it"),
        (2.0**24, r"of these one is 1.67772e\+07, too large"),
        (np.nan, r"of these one is nan\. "),
        (np.inf, r"of these one is inf, too large"),
    ],
)
def test_floats_that_are_not_whole_are_refused(value: float, words: str) -> None:
    with pytest.raises(TypeError, match=rf"The labels have dtype float32, but labels.*{words}"):
        whole_numbers(np.array([[0, value]], np.float32))


def test_what_nobody_annotated_is_left_out() -> None:
    assert known_labels(np.array([[-1, 0, 3]], np.int8)).tolist() == [[0, 0, 3]]
    assert known_labels(np.array([[-1, 0, 3]], np.float32)).tolist() == [[0, 0, 3]]
    with pytest.raises(ValueError, match=r"negative number -2.*\(-1, not annotated, is the only"):
        known_labels(np.array([[-1, -2]]))


def test_parts_of_a_mask_are_numbered() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    expected = [[1, 0, 0, 2], [0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0]]
    for given_mask in (mask > 0, 255 * mask.astype(np.uint8), 7.0 * mask):
        found = number_parts(given_mask)
        assert found.dtype == np.int32
        assert found.tolist() == expected
    mask[2, 0] = -1
    assert number_parts(mask)[2].tolist() == [-1, 0, 0, 0]


def test_a_mask_has_one_number() -> None:
    for mask in ([[0, 255]], [[-1, 1]], [[True, False]]):
        assert has_one_number(np.array(mask))
    for labels in ([[0, 1, 2]], [[0, 0]], [[-1]], [[False]]):
        assert not has_one_number(np.array(labels))


def test_the_warning_of_masks_counts() -> None:
    words = "has one number for 16 to 18 separate parts: a mask?"
    assert warn_of_masks([16, 18], 2).startswith(f"Each of 2 label images {words}")
    assert warn_of_masks([16, 18], 5).startswith(f"2 of 5 label images {words}")
    assert "The label image has one number for 17 sep" in warn_of_masks([17], 1)


@pytest.mark.parametrize(
    ("image", "labels", "words"),
    [
        ((3, 4), (4, 3), "Rows and columns are exchanged: transpose one of them."),
        ((7, 3, 4), (7, 4, 3), "Rows and columns are exchanged: transpose one of them."),
        ((3, 4), (6, 8), "The labels are 2 times as large: resize them without interpolation."),
        ((9, 12), (3, 4), "The labels are 0.333333 times as large: resize"),
        ((3, 4), (3, 4), ""),
        ((3, 4), (3, 5), ""),
        ((3, 4), (2, 4, 3), ""),
    ],
)
def test_shapes_that_differ_are_explained(
    image: tuple[int, ...], labels: tuple[int, ...], words: str
) -> None:
    assert explain_shapes(image, labels).strip().startswith(words)
    assert bool(explain_shapes(image, labels)) == bool(words)
