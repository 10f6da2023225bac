"""Maps of errors: each kind on a strip of pixels, and what holds for any two label images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.metrics import ErrorKind, compare_objects, error_maps, object_errors

small_labels = hnp.arrays(np.int16, (6, 9), elements=st.integers(0, 5))


def strip(text: str) -> np.ndarray:
    """One row of pixels, a digit for each; a dot is background, a question mark unknown."""
    return np.array([["?.123456789".index(c) - 1 for c in text]])


def shown(truth: str, prediction: str) -> dict[str, str]:
    """Maps that show something, with a cross at each wrong pixel."""
    maps = error_maps(strip(truth), strip(prediction))
    rows = {kind.name: "".join(".x"[int(v)] for v in maps[kind, 0]) for kind in ErrorKind}
    return {name: row for name, row in rows.items() if "x" in row}


def test_what_is_right_shows_nothing() -> None:
    assert shown("11.22..", "77.33..") == {}
    assert shown(".......", ".......") == {}


@pytest.mark.parametrize(
    ("truth", "prediction", "maps"),
    [
        ("11..22..", "11......", {"MISSED": "....xx.."}),
        ("11......", "11..22..", {"EXTRA": "....xx.."}),
        ("111222..", "1111111.", {"MERGED": "xxxxxxx."}),
        ("1111111.", "111222..", {"SPLIT": "xxxxxxx."}),
        ("..1111..", "...1111.", {"BOUNDARY": "..x...x."}),
        # Two that touch, with the border between them one pixel off: it is wrong for both.
        ("11112222", "11122222", {"BOUNDARY": "...x...."}),
        # Found, but too badly to count: the true one is missed, the other one extra.
        ("11111...", "....1111", {"MISSED": "xxxxx...", "EXTRA": "....xxxx"}),
        # A sliver cut off a good match.
        ("1111111.", "1111122.", {"SPLIT": ".....xx.", "BOUNDARY": ".....xx."}),
    ],
)
def test_each_kind(truth: str, prediction: str, maps: dict[str, str]) -> None:
    assert shown(truth, prediction) == maps


def test_nothing_is_wrong_where_nobody_annotated() -> None:
    assert shown("11..????", "11..2222") == {}
    assert shown("11??", "1111") == {}


def test_ids_may_have_gaps_and_images_may_have_more_axes() -> None:
    truth = np.zeros((2, 3, 4), np.uint32)
    truth[0, :2], truth[1, 2] = 4_000_000_000, 7
    prediction = np.where(truth > 7, np.uint32(9), 0)
    maps = error_maps(truth, prediction)
    assert maps.shape == (5, 2, 3, 4)
    assert maps[ErrorKind.MISSED].sum() == 4
    assert maps.sum() == 4
    np.testing.assert_array_equal(maps[ErrorKind.MISSED], truth == 7)


@settings(deadline=None)
@given(small_labels, small_labels)
def test_a_pixel_is_right_where_both_are_background_or_partners(
    truth: np.ndarray, prediction: np.ndarray
) -> None:
    found = compare_objects(truth, prediction)
    partners = dict(zip(found.truth_labels.tolist(), found.truth_partners.tolist(), strict=True))
    right = [
        p == 0 if t == 0 else p > 0 and partners[t] == p
        for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True)
    ]
    wrong = error_maps(truth, prediction).any(axis=0)
    np.testing.assert_array_equal(~wrong.ravel(), right)


def test_label_images_of_other_places_are_refused() -> None:
    with pytest.raises(ValueError, match="same region"):
        error_maps(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(TypeError, match="Number its separate parts"):
        error_maps(np.zeros((2, 3), int), np.zeros((2, 3), bool))


def test_error_of_each_object() -> None:
    found = object_errors(strip("1111..22..3333"), strip("5555..8888...."))
    assert [part.tolist() for part in found] == [[5, 8], [0.0, 0.5]]
    # Of several true objects the best one counts; an object where nobody annotated is left out.
    labels, errors = object_errors(strip("1112......????"), strip("7777..33..8888"))
    assert labels.tolist() == [3, 7]
    assert errors.tolist() == [1.0, 0.25]
    assert object_errors(strip("11.."), strip("...."))[0].size == 0


@given(small_labels)
def test_right_objects_have_no_error(labels: np.ndarray) -> None:
    ids, errors = object_errors(labels, labels)
    assert ids.tolist() == np.unique(labels[labels > 0]).tolist()
    assert not errors.any()
