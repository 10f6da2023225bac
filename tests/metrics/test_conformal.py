"""Conformal selection: its guarantee on exchangeable objects, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from napari_ssp.metrics import ConformalCalibration, calibrate
from napari_ssp.metrics.conformal import needed_count


def test_p_values_count_the_wrong_that_look_no_worse() -> None:
    found = ConformalCalibration(9, (0.2, 0.5, 0.5))
    # (1 + wrong with at most this error) / (1 + 9); equal errors count against the object.
    assert found.p_values([0.1, 0.2, 0.4, 0.5, 0.9]).tolist() == [0.1, 0.2, 0.2, 0.4, 0.4]


def test_objects_are_accepted_up_to_the_last_step_of_benjamini_and_hochberg() -> None:
    found = ConformalCalibration(19, (0.30, 0.60, 0.80))
    # p-values 0.05, 0.05, 0.10, 0.15; steps of 0.1: 0.025, 0.05, 0.075, 0.1.
    assert found.accept([0.1, 0.2, 0.4, 0.7], 0.1).tolist() == [True, True, False, False]
    # Steps of 0.2: 0.05, 0.1, 0.15, 0.2: all of them.
    assert found.accept([0.7, 0.4, 0.2, 0.1], 0.2).tolist() == [True] * 4
    assert found.accept([0.9, 0.9], 0.1).tolist() == [False, False]


def test_no_object_is_none_to_accept() -> None:
    assert ConformalCalibration(100, ()).accept([]).shape == (0,)


def test_a_set_without_wrong_objects_accepts_all_when_it_is_large_enough() -> None:
    assert calibrate(np.linspace(0, 1, 9), np.zeros(9, bool)).accept([0.99], 0.1).all()
    with pytest.raises(ValueError, match="has 8 objects, but 9 are needed"):
        calibrate(np.linspace(0, 1, 8), np.zeros(8, bool)).accept([0.99], 0.1)


@pytest.mark.parametrize(("share", "needed"), [(0.5, 1), (0.1, 9), (0.05, 19), (0.01, 99)])
def test_how_many_objects_are_needed(share: float, needed: int) -> None:
    assert needed_count(share) == needed


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(ValueError, match="has no objects"):
        calibrate([], np.zeros(0, bool))
    with pytest.raises(ValueError, match="2 predicted errors, but 3 objects"):
        calibrate([0.1, 0.2], np.zeros(3, bool))
    with pytest.raises(TypeError, match="bool is needed"):
        calibrate([0.1, 0.2], [0, 1])
    with pytest.raises(ValueError, match="not finite"):
        calibrate([0.1, np.nan], np.zeros(2, bool))
    with pytest.raises(ValueError, match="3 wrong objects of 2"):
        ConformalCalibration(2, (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="share of 1 of wrong"):
        ConformalCalibration(20, ()).accept([0.5], 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.02, 0.9))
def test_a_better_object_is_never_left_out(errors: list[float], share: float) -> None:
    accepted = ConformalCalibration(200, tuple(np.linspace(0.2, 1, 40))).accept(errors, share)
    values = np.array(errors)
    if accepted.any():
        assert (values[~accepted] > values[accepted].max()).all()


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([40, 200]), st.sampled_from([0.1, 0.2]), st.booleans()
)
def test_few_accepted_objects_are_wrong_on_exchangeable_data(
    seed: int, size: int, share: float, told: bool
) -> None:
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(300):
        wrong = rng.random(size + 60) < 0.3
        # A critic that knows something, or nothing; rounded, so that errors are equal at times.
        errors = np.round(rng.normal(wrong * (1.5 if told else 0.0), 1.0), 1)
        accepted = calibrate(errors[:size], wrong[:size]).accept(errors[size:], share)
        shares.append(float(wrong[size:][accepted].mean()) if accepted.any() else 0.0)
    # The mean is at most the share asked for; four standard errors of 300 repetitions.
    assert np.mean(shares) <= share + 4 * np.std(shares) / np.sqrt(300)


def test_much_is_accepted_where_errors_are_predicted_well() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random(2000) < 0.3
    errors = rng.normal(wrong * 3.0, 1.0)
    accepted = calibrate(errors[:1000], wrong[:1000]).accept(errors[1000:], 0.1)
    assert accepted.mean() > 0.65
    assert 0.05 < wrong[1000:][accepted].mean() < 0.15
