from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from napari_ssp.service.segmentation.refined_numbers import keep_numbers


def _row(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint32)


def test_what_stays_keeps_its_number() -> None:
    before = _row(1, 1, 0, 2, 2, 0, 3, 3)
    np.testing.assert_array_equal(
        keep_numbers(_row(1, 1, 0, 0, 0, 0, 2, 2), before), _row(1, 1, 0, 0, 0, 0, 3, 3)
    )


def test_objects_that_grow_or_shrink_keep_theirs() -> None:
    before = _row(0, 5, 5, 0, 9, 9, 9, 0)
    np.testing.assert_array_equal(
        keep_numbers(_row(1, 1, 1, 0, 0, 2, 0, 0), before), _row(5, 5, 5, 0, 0, 9, 0, 0)
    )


def test_new_objects_get_free_numbers() -> None:
    before = _row(0, 0, 2, 0, 0)
    np.testing.assert_array_equal(keep_numbers(_row(1, 0, 2, 0, 3), before), _row(1, 0, 2, 0, 3))
    np.testing.assert_array_equal(keep_numbers(_row(1, 2, 0, 0, 3), before), _row(1, 2, 0, 0, 3))


def test_pieces_and_unions_share_no_number() -> None:
    np.testing.assert_array_equal(
        keep_numbers(_row(1, 1, 2, 2), _row(7, 7, 7, 7)), _row(7, 7, 1, 1)
    )
    np.testing.assert_array_equal(
        keep_numbers(_row(1, 1, 1, 1), _row(3, 3, 7, 7)), _row(3, 3, 3, 3)
    )


def test_empty_images() -> None:
    np.testing.assert_array_equal(keep_numbers(_row(0, 0), _row(4, 4)), _row(0, 0))
    np.testing.assert_array_equal(keep_numbers(_row(1, 1), _row(0, 0)), _row(1, 1))


LABELS = arrays(np.uint32, (6, 7), elements=st.integers(0, 6))


@settings(deadline=None)
@given(LABELS, LABELS)
def test_the_objects_are_always_the_same(labels: np.ndarray, before: np.ndarray) -> None:
    found = keep_numbers(labels, before)
    pairs = np.unique(np.stack([labels.ravel(), found.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    np.testing.assert_array_equal(found > 0, labels > 0)
    np.testing.assert_array_equal(keep_numbers(labels, labels), labels)
