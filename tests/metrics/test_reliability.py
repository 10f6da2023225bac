"""Calibration: the original's numbers, closed forms, and counts by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.metrics import reliability_table

if TYPE_CHECKING:
    from pathlib import Path


def test_the_numbers_are_the_originals(reference: Path) -> None:
    golden = json.loads((reference / "faafo_shared.json").read_text())["calibration"]
    rng = np.random.default_rng(0)
    probability = 1 / (1 + np.exp(-rng.normal(0, 3, 20000)))
    table = reliability_table(probability, rng.random(20000) < probability)
    assert table.counts.sum() == 20000
    # The original sums in float32.
    np.testing.assert_allclose(table.frequency, golden["accs"], rtol=1e-6)
    np.testing.assert_allclose(table.confidence, golden["confs"], rtol=1e-6)
    assert table.expected_calibration_error == pytest.approx(golden["ece"], rel=1e-5)
    assert table.maximum_calibration_error == pytest.approx(golden["mce"], rel=1e-5)


def test_counts_by_hand() -> None:
    probability = np.array([0.0, 0.25, 0.5, 0.5, 0.75, 1.0])
    positive = np.array([False, True, True, False, True, True])
    table = reliability_table(probability, positive, bins=2)
    assert table.edges.tolist() == [0.0, 0.5, 1.0]
    assert table.counts.tolist() == [2, 4]
    assert table.positives.tolist() == [1, 3]
    assert table.confidence.tolist() == [0.125, 0.6875]
    assert table.frequency.tolist() == [0.5, 0.75]
    assert table.expected_calibration_error == pytest.approx((2 * 0.375 + 4 * 0.0625) / 6)
    assert table.maximum_calibration_error == 0.375


def test_a_certain_and_right_answer_is_calibrated_and_a_wrong_one_is_not() -> None:
    positive = np.array([[True, False], [False, True]])
    right, wrong = reliability_table(positive, positive), reliability_table(~positive, positive)
    assert (right.expected_calibration_error, right.maximum_calibration_error) == (0, 0)
    assert (wrong.expected_calibration_error, wrong.maximum_calibration_error) == (1, 1)
    assert right.counts.tolist() == [2, *[0] * 13, 2]


def test_overconfidence_has_a_closed_form() -> None:
    # All say 0.9 and half are right: the gap is 0.4, in one bin; the others are empty.
    table = reliability_table(np.full(10, 0.9), np.arange(10) < 5, bins=10)
    assert table.expected_calibration_error == pytest.approx(0.4)
    assert table.maximum_calibration_error == pytest.approx(0.4)
    assert np.isnan(table.confidence[:9]).all()
    assert np.isnan(table.frequency[:9]).all()


def test_the_images_of_a_folder_count_together() -> None:
    rng = np.random.default_rng(1)
    probability, positive = rng.random((2, 6, 8)), rng.random((2, 6, 8)) < 0.3
    parts = [reliability_table(p, t) for p, t in zip(probability, positive, strict=True)]
    both, whole = parts[0] + parts[1], reliability_table(probability, positive)
    assert both.counts.tolist() == whole.counts.tolist()
    assert both.positives.tolist() == whole.positives.tolist()
    np.testing.assert_allclose(both.sums, whole.sums, rtol=1e-14)


def test_nothing_has_no_error() -> None:
    table = reliability_table([], np.zeros(0, bool))
    assert np.isnan(table.expected_calibration_error)
    assert np.isnan(table.maximum_calibration_error)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1 of 2 values are no probabilities.*-3.*sigmoid"):
        reliability_table([-3.0, 0.5], np.array([True, False]))
    with pytest.raises(ValueError, match="1 of 1 values"):
        reliability_table([np.nan], np.array([True]))
    with pytest.raises(ValueError, match=r"shape \(2,\).*\(1,\)"):
        reliability_table([0.1, 0.5], np.array([True]))
    with pytest.raises(TypeError, match="int64"):
        reliability_table([0.1], np.array([1], np.int64))
    with pytest.raises(ValueError, match="0 bins"):
        reliability_table([0.1], np.array([True]), bins=0)
    with pytest.raises(ValueError, match="15 bins and the other 2"):
        reliability_table([0.1], np.array([True])) + reliability_table([0.1], np.array([True]), 2)
