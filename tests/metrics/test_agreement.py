"""Panoptic quality and what became of each object, on constructed cases and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.metrics import (
    Category,
    compare_objects,
    f1_score,
    match_counts,
    panoptic_quality,
)

small_labels = hnp.arrays(np.uint8, (6, 9), elements=st.integers(0, 5))
MATCHED, MISSED, EXTRA, SPLIT, MERGED = list(Category)[1:]


def strip(*spans: tuple[int, int, int], width: int = 40) -> np.ndarray:
    """One row of pixels, with objects (first, end, label)."""
    labels = np.zeros((1, width), np.int64)
    for first, end, label in spans:
        labels[0, first:end] = label
    return labels


def categories(truth: np.ndarray, prediction: np.ndarray, threshold: float = 0.5) -> tuple:
    found = compare_objects(truth, prediction, threshold)
    return found.truth_categories.tolist(), found.prediction_categories.tolist()


def test_quality_is_the_papers_formula() -> None:
    truth = strip((0, 10, 1), (10, 20, 2), (20, 30, 3))
    prediction = strip((0, 8, 7), (10, 16, 9), (26, 36, 4))
    # IoU 0.8 and 0.6 match; 4 of 16 does not.
    found = panoptic_quality(truth, prediction)
    assert found.segmentation == pytest.approx(0.7)
    assert found.recognition == pytest.approx(2 / 3)
    assert found.quality == pytest.approx((0.8 + 0.6) / (2 + 0.5 + 0.5))


def test_an_iou_of_exactly_one_half_is_no_pair_in_the_paper() -> None:
    assert panoptic_quality(strip((0, 10, 1)), strip((0, 5, 1))).quality == 0
    assert panoptic_quality(strip((0, 100, 1), width=100), strip((0, 51, 1), width=100)).quality > 0


def test_quality_of_nothing() -> None:
    empty, full = strip(), strip((0, 5, 3))
    assert np.isnan(panoptic_quality(empty, empty).quality)
    for pair in ((empty, full), (full, empty)):
        found = panoptic_quality(*pair)
        assert (found.quality, found.segmentation, found.recognition) == (0, 0, 0)
    assert panoptic_quality(full, full * 9).quality == 1


@settings(deadline=None)
@given(small_labels, small_labels)
def test_quality_by_brute_force(truth: np.ndarray, prediction: np.ndarray) -> None:
    true, predicted = (set(np.unique(x)) - {0} for x in (truth, prediction))
    ious = [
        np.sum((truth == a) & (prediction == b)) / np.sum((truth == a) | (prediction == b))
        for a in true
        for b in predicted
    ]
    good = [x for x in ious if x > 0.5]
    found = panoptic_quality(truth, prediction)
    if not true and not predicted:
        assert np.isnan(found.quality)
        return
    lost = len(true) + len(predicted) - 2 * len(good)
    assert found.quality == pytest.approx(sum(good) / (len(good) + lost / 2))
    assert 0 <= found.quality <= min(found.segmentation, found.recognition) <= 1


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ([(0, 10, 1)], [(1, 10, 5)], ([MATCHED], [MATCHED])),
        ([(0, 10, 1)], [], ([MISSED], [])),
        ([], [(0, 10, 1)], ([], [EXTRA])),
        ([(0, 10, 1)], [(9, 19, 1)], ([MISSED], [EXTRA])),
        # Halves, and thirds with a gap.
        ([(0, 12, 1)], [(0, 5, 3), (6, 11, 8)], ([SPLIT], [SPLIT, SPLIT])),
        ([(0, 12, 1)], [(0, 4, 3), (4, 8, 5), (8, 12, 8)], ([SPLIT], [SPLIT] * 3)),
        # Two specks inside are no split: they cover too little.
        ([(0, 12, 1)], [(0, 2, 3), (6, 8, 8)], ([MISSED], [EXTRA, EXTRA])),
        # Most of it found, a sliver cut off.
        ([(0, 12, 1)], [(0, 9, 3), (9, 12, 8)], ([MATCHED], [MATCHED, SPLIT])),
        # Two in one, three in one.
        ([(0, 6, 4), (6, 13, 9)], [(0, 14, 2)], ([MERGED, MATCHED], [MATCHED])),
        ([(0, 6, 4), (7, 13, 9)], [(0, 14, 2)], ([MERGED, MERGED], [MERGED])),
        ([(0, 5, 4), (5, 10, 9), (10, 15, 1)], [(0, 15, 2)], ([MERGED] * 3, [MERGED])),
        # A blob over the whole image does not merge the two small cells in it.
        ([(0, 3, 4), (7, 10, 9)], [(0, 40, 2)], ([MISSED, MISSED], [EXTRA])),
        # One cell split beside two merged.
        (
            [(0, 13, 1), (13, 19, 2), (20, 26, 3)],
            [(0, 6, 5), (6, 12, 6), (13, 27, 7)],
            ([SPLIT, MERGED, MERGED], [SPLIT, SPLIT, MERGED]),
        ),
        # A shifted chain: nobody lies mostly in two, nor two in one.
        ([(0, 10, 1), (10, 20, 2)], [(6, 16, 3), (16, 26, 4)], ([MISSED] * 2, [EXTRA] * 2)),
    ],
)
def test_constructed_cases(truth: list, prediction: list, expected: tuple) -> None:
    assert categories(strip(*truth), strip(*prediction)) == expected


def test_split_and_merged_are_mirror_images() -> None:
    truth, prediction = strip((0, 6, 4), (7, 13, 9), (20, 30, 1)), strip((0, 14, 2), (22, 30, 3))
    there, back = compare_objects(truth, prediction), compare_objects(prediction, truth)
    swap = {MATCHED: MATCHED, MISSED: EXTRA, EXTRA: MISSED, SPLIT: MERGED, MERGED: SPLIT}
    assert [swap[Category(c)] for c in there.truth_categories] == list(back.prediction_categories)
    assert [swap[Category(c)] for c in there.prediction_categories] == list(back.truth_categories)


def test_ids_partners_and_image() -> None:
    big = 2**40
    truth = strip((0, 4, big), (6, 10, 3), (20, 24, 8))
    prediction = strip((0, 5, 70_000), (14, 17, 2), (21, 24, 1))
    found = compare_objects(truth, prediction)
    assert found.truth_labels.tolist() == [3, 8, big]
    assert found.truth_categories.tolist() == [MISSED, MATCHED, MATCHED]
    assert found.truth_partners.tolist() == [0, 1, 70_000]
    assert found.prediction_labels.tolist() == [1, 2, 70_000]
    assert found.prediction_partners.tolist() == [8, 0, big]
    assert found.image.dtype == np.uint8
    expected = [0] * 40
    for first, end, category in ((0, 5, 1), (6, 10, 2), (14, 17, 3), (20, 24, 1)):
        expected[first:end] = [category] * (end - first)
    assert found.image[0].tolist() == expected
    assert found.count(Category.MATCHED) == (2, 2)
    assert found.count(Category.MISSED) == (1, 0)
    assert found.count(Category.EXTRA) == (0, 1)


def test_errors_are_painted_over_matches() -> None:
    truth, prediction = strip((0, 12, 1)), strip((0, 9, 3), (9, 12, 8))
    assert compare_objects(truth, prediction).image[0, :13].tolist() == [1] * 9 + [4] * 3 + [0]
    truth, prediction = strip((0, 6, 4), (6, 13, 9)), strip((0, 14, 2))
    assert compare_objects(truth, prediction).image[0, :14].tolist() == [5] * 6 + [1] * 8


def test_volumes_and_a_stricter_threshold() -> None:
    truth = np.zeros((4, 8, 8), np.uint16)
    truth[:, :4, :4] = 1
    prediction = np.zeros_like(truth)
    prediction[:3, :4, :4] = 9
    assert compare_objects(truth, prediction, 0.75).count(MATCHED) == (1, 1)
    strict = compare_objects(truth, prediction, 0.9)
    assert (strict.count(MISSED), strict.count(EXTRA)) == ((1, 0), (0, 1))
    assert strict.image.shape == truth.shape


@settings(deadline=None)
@given(small_labels, small_labels, st.sampled_from([0.1, 0.3, 0.5, 0.75, 1.0]))
def test_categories_add_up(truth: np.ndarray, prediction: np.ndarray, threshold: float) -> None:
    found = compare_objects(truth, prediction, threshold)
    counts = match_counts(truth, prediction, threshold)
    assert found.counts == counts
    assert found.count(MATCHED) == (counts.true_positives, counts.true_positives)
    numbers = {c: found.count(c) for c in Category}
    assert sum(numbers[c][0] for c in (MISSED, SPLIT, MERGED)) == counts.false_negatives
    assert sum(numbers[c][1] for c in (EXTRA, SPLIT, MERGED)) == counts.false_positives
    assert numbers[EXTRA][0] == numbers[MISSED][1] == 0
    np.testing.assert_array_equal(found.image == 0, (truth == 0) & (prediction == 0))
    for label, partner in zip(found.truth_labels, found.truth_partners, strict=True):
        if partner:
            place = found.prediction_labels.tolist().index(partner)
            assert found.prediction_partners[place] == label


def test_nothing_at_all() -> None:
    found = compare_objects(strip(), strip())
    assert found.truth_labels.size == found.prediction_labels.size == 0
    assert not found.image.any()


def test_bad_input_is_explained() -> None:
    good = strip((0, 5, 1))
    for function in (compare_objects, panoptic_quality):
        with pytest.raises(ValueError, match=r"shape \(1, 40\) and the prediction \(40, 1\)"):
            function(good, good.T)
        with pytest.raises(ValueError, match="negative label -2"):
            function(good, -2 * good)
        with pytest.raises(TypeError, match="labels are integers"):
            function(good, good / 2)
    with pytest.raises(ValueError, match="threshold is 0"):
        compare_objects(good, good, 0)


def test_more_objects_than_sixteen_bits() -> None:
    truth = np.zeros((600, 600), np.int64)
    truth[::2, ::2] = np.arange(1, 90_001).reshape(300, 300) * 3
    found = compare_objects(truth, truth)
    assert found.counts.true_positives == 90_000
    assert f1_score(truth[1:-1, 1:-1], truth[1:-1, 1:-1]) == 1
