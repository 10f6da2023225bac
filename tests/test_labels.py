from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.labels import check_label_type, check_labels, number_from, number_labels

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
        check_labels(np.ones((2, 2)))
    with pytest.raises(TypeError, match=r"The truth has dtype bool.* Convert it, give the label"):
        check_label_type(np.dtype(bool), "truth")
    with pytest.raises(ValueError, match=r"The labels hold the negative number -3. Use 0 for"):
        check_labels(np.array([[1, -3]]))
    with pytest.raises(ValueError, match=r"The truth holds the negative label -3. Use 0 for"):
        check_labels(np.array([[1, -3]], np.int8), "truth")
