"""Rankings: closed forms, counts by hand, and brute force over pairs and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from napari_ssp.metrics import pearson, pr_auc, roc_auc, spearman

scored = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12)


def test_areas_by_hand() -> None:
    score, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    # Of four pairs three are in order; precision 1/1 at the first hit, 2/3 at the second.
    assert roc_auc(score, positive) == 0.75
    assert pr_auc(score, positive) == pytest.approx((1 + 2 / 3) / 2)


def test_a_perfect_and_a_reversed_and_a_constant_score() -> None:
    positive = np.arange(10) >= 8
    assert (roc_auc(np.arange(10), positive), pr_auc(np.arange(10), positive)) == (1, 1)
    assert roc_auc(-np.arange(10), positive) == 0
    assert pr_auc(-np.arange(10), positive) == pytest.approx((1 / 9 + 2 / 10) / 2)
    assert (roc_auc(np.ones(10), positive), pr_auc(np.ones(10), positive)) == (0.5, 0.2)


def test_two_normal_distributions_have_a_known_area() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(200_000) % 2 == 0
    # P(x > y) for means 1 apart is Phi(1 / sqrt 2); its standard error is below 0.001.
    assert roc_auc(rng.normal(positive), positive) == pytest.approx(0.76025, abs=0.003)


@settings(deadline=None)
@given(scored)
def test_areas_are_those_of_brute_force(pairs: list[tuple[int, bool]]) -> None:
    score, positive = np.array([s for s, _ in pairs]), np.array([p for _, p in pairs])
    high, low = score[positive], score[~positive]
    if high.size and low.size:
        order = [(a > b) + (a == b) / 2 for a in high for b in low]
        assert roc_auc(score, positive) == pytest.approx(np.mean(order))
    if high.size:
        area, before = 0.0, 0.0
        for threshold in sorted(set(score), reverse=True):
            chosen = score >= threshold
            recall = positive[chosen].sum() / positive.sum()
            area += (recall - before) * positive[chosen].mean()
            before = recall
        assert pr_auc(score, positive) == pytest.approx(area)


def test_what_is_not_defined_is_nan() -> None:
    for positive in (np.ones(3, bool), np.zeros(3, bool)):
        assert np.isnan(roc_auc([1, 2, 3], positive))
    assert np.isnan(pr_auc([1, 2, 3], np.zeros(3, bool)))
    assert pr_auc([1, 2, 3], np.ones(3, bool)) == 1
    for correlation in (pearson, spearman):
        assert np.isnan(correlation([1.0, 1.0], [1.0, 2.0]))
        assert np.isnan(correlation([1.0, 2.0], [0.5, 0.5]))
        assert np.isnan(correlation([1.0], [1.0]))
        assert np.isnan(correlation([], []))


def test_correlations_by_hand() -> None:
    assert pearson([0, 1, 2], [5, 7, 9]) == pytest.approx(1)
    assert pearson([0, 1, 2], [0, 1, 0]) == pytest.approx(0, abs=1e-15)
    assert pearson([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert spearman([1, 2, 3, 4], [1, 9, 4, 100]) == pytest.approx(0.8)
    # A monotone relation is perfect for ranks, whatever its shape; equal values share their rank.
    assert spearman([[1, 2], [3, 4]], np.exp([[1, 2], [3, 4]])) == pytest.approx(1)
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(np.sqrt(3) / 2)


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        roc_auc([0.5], np.array([0.5]))
    with pytest.raises(ValueError, match=r"\(2,\).*\(1,\)"):
        pr_auc([0.5, 0.1], np.array([True]))
    with pytest.raises(ValueError, match="2 numbers are NaN or infinite"):
        pearson([np.nan, 1.0], [np.inf, 1.0])
