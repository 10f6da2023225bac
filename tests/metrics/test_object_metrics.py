"""F1 and average precision: the originals' numbers, brute force, and edge cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from napari_ssp.metrics import (
    MatchCounts,
    average_precision,
    challenge_counts,
    f1_score,
    match_counts,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("dense300", "border", "rods", "touching_disks")

small_labels = hnp.arrays(np.uint8, (7, 9), elements=st.integers(0, 5))


@pytest.fixture(scope="module")
def goldens(reference: Path) -> dict:
    return json.loads((reference / "metrics_shared.json").read_text())


@pytest.fixture(scope="module")
def pairs(reference: Path) -> dict[str, np.ndarray]:
    return dict(np.load(reference / "metrics_shared.npz"))


def disks(shape: tuple[int, int], centres: list[tuple[int, int]], radius: int = 8) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    for number, (y, x) in enumerate(centres, start=1):
        yy, xx = np.ogrid[: 2 * radius + 1, : 2 * radius + 1]
        disk = (yy - radius) ** 2 + (xx - radius) ** 2 <= radius**2
        labels[y - radius : y + radius + 1, x - radius : x + radius + 1][disk] = number
    return labels


@pytest.mark.parametrize("index", range(4), ids=NAMES)
def test_f1_is_the_challenges(goldens: dict, pairs: dict, index: int) -> None:
    truth, prediction = (pairs[f"{NAMES[index]}_{side}"] for side in ("truth", "pred"))
    for threshold, expected in goldens["pairs"][index]["mediar"].items():
        counts = challenge_counts(truth, prediction, float(threshold))
        assert counts.f1 == pytest.approx(expected["f1"], abs=1e-15)
        assert counts.precision == pytest.approx(expected["precision"], abs=1e-15)
        assert counts.recall == pytest.approx(expected["recall"], abs=1e-15)
        assert f1_score(truth, prediction, float(threshold)) == counts.f1


@pytest.mark.parametrize("index", range(4), ids=NAMES)
def test_average_precision_is_cellposes(goldens: dict, pairs: dict, index: int) -> None:
    truth, prediction = (pairs[f"{NAMES[index]}_{side}"] for side in ("truth", "pred"))
    expected = goldens["pairs"][index]["cellpose"]
    np.testing.assert_array_equal(
        average_precision(truth, prediction, expected["threshold"]).astype(np.float32),
        np.float32(expected["ap"]),
    )
    for k, threshold in enumerate(expected["threshold"]):
        counts = match_counts(truth, prediction, threshold)
        assert counts == MatchCounts(*(int(expected[name][k]) for name in ("tp", "fp", "fn")))


@pytest.mark.parametrize("case", ["identical", "empty_pred", "empty_truth", "both_empty"])
def test_edge_cases(goldens: dict, pairs: dict, case: str) -> None:
    full = pairs["touching_disks_truth"]
    truth = np.zeros_like(full) if case in ("empty_truth", "both_empty") else full
    prediction = np.zeros_like(full) if case in ("empty_pred", "both_empty") else full
    expected = goldens["edge_cases"][case]
    counts = challenge_counts(truth, prediction)
    assert [counts.precision, counts.recall, counts.f1] == expected["mediar"]
    ap = [np.nan if value is None else value for value in expected["cellpose"]["ap"]]
    np.testing.assert_array_equal(average_precision(truth, prediction), ap)


@given(small_labels, small_labels, st.sampled_from([0.2, 0.5, 0.75, 1.0]))
def test_matching_equals_the_hungarian_method(
    truth: np.ndarray, prediction: np.ndarray, threshold: float
) -> None:
    true_ids, predicted_ids = (np.unique(x[x > 0]) for x in (truth, prediction))
    iou = np.array(
        [
            [np.sum((truth == a) & (prediction == b)) / np.sum((truth == a) | (prediction == b))
             for b in predicted_ids]
            for a in true_ids
        ]
    ).reshape(true_ids.size, predicted_ids.size)  # fmt: skip
    n = max(min(iou.shape), 1)
    chosen = linear_sum_assignment(-(iou >= threshold).astype(float) - iou / (2 * n))
    found = int(np.sum(iou[chosen] >= threshold))
    expected = MatchCounts(found, predicted_ids.size - found, true_ids.size - found)
    assert match_counts(truth, prediction, threshold) == expected


@given(small_labels, st.permutations(range(1, 6)), st.sampled_from([1, 300, 10**12]))
def test_numbers_and_dtypes_do_not_matter(
    labels: np.ndarray, order: list[int], spread: int
) -> None:
    numbers = np.array([0, *order], np.uint64) * np.uint64(spread)
    renumbered = numbers[labels]
    same = match_counts(labels.astype(np.int8), renumbered, 1.0)
    assert same == MatchCounts(true_positives=np.unique(labels[labels > 0]).size)


@given(small_labels, small_labels)
def test_precision_and_recall_swap_with_the_sides(truth: np.ndarray, other: np.ndarray) -> None:
    there, back = match_counts(truth, other), match_counts(other, truth)
    assert (there.precision, there.recall) == (back.recall, back.precision)


def test_two_halves_of_a_cell_count_once() -> None:
    truth = np.array([[1, 1], [0, 0]])
    assert match_counts(truth, np.array([[1, 2], [0, 0]])) == MatchCounts(1, 1, 0)


def test_border_cells_leave_each_side_separately() -> None:
    truth, prediction = np.zeros((2, 20, 20), int)
    truth[0:6, 5:10] = 1  # touches the border, so it is not asked for
    prediction[2:6, 5:10] = 1  # stays inside, so it counts as invented
    assert challenge_counts(truth, prediction) == MatchCounts(0, 1, 0)
    assert match_counts(truth, prediction) == MatchCounts(1, 0, 0)


def test_tiles_without_predictions_have_missed_cells() -> None:
    centres = [(1000 + 2000 * i, 1000 + 2000 * j) for i in range(3) for j in range(3)]
    truth = disks((5001, 5001), [(min(y, 4500), min(x, 4500)) for y, x in centres])
    prediction = np.where(truth <= 3, truth, 0)
    assert challenge_counts(truth, prediction) == MatchCounts(3, 0, 6)
    assert f1_score(truth, prediction) == 0.5


def test_cells_on_a_seam_between_tiles_are_ignored() -> None:
    truth = disks((5000, 5000), [(500, 500), (2000, 500), (4990, 600)])
    assert challenge_counts(truth, truth) == MatchCounts(2, 0, 0)


def test_stacks_are_matched_in_3d() -> None:
    truth = np.zeros((3, 8, 8), np.uint16)
    truth[:, 2:5, 2:5] = 7
    np.testing.assert_array_equal(average_precision(truth, truth), [1, 1, 1])


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 30), (4, 4)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    labels = np.ones(shape, int)
    assert f1_score(labels, labels) == 0.0
    assert match_counts(labels, labels).true_positives == bool(labels.size)


@pytest.mark.parametrize(
    ("truth", "prediction", "error", "words"),
    [
        (np.zeros((3, 4), int), np.zeros((3, 5), int), ValueError, r"\(3, 4\).*\(3, 5\)"),
        (np.full((3, 4), 0.5), np.zeros((3, 4), int), TypeError, "truth has dtype float64"),
        (np.zeros((3, 4), int), np.zeros((3, 4), bool), TypeError, "prediction has dtype bool"),
        (np.full((3, 4), -2), np.zeros((3, 4), int), ValueError, "negative label -2"),
        (np.zeros(4, int), np.zeros(4, int), ValueError, r"shape \(4,\)"),
        (np.zeros((2, 3, 4), int), np.zeros((2, 3, 4), int), ValueError, "defined for 2D"),
    ],
)
def test_bad_input(
    truth: np.ndarray, prediction: np.ndarray, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        f1_score(truth, prediction)


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_bad_threshold(threshold: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        f1_score(np.ones((5, 5), int), np.ones((5, 5), int), threshold)
