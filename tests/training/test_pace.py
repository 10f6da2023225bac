from __future__ import annotations

import pytest

from napari_ssp.training.pace import Pace, fit_to_time

#: 2 crops of 256 px take 0.99 s, as on a laptop.
LAPTOP = Pace(step=0.99e6 / (2 * 256**2), look=2.0, device="cpu", precision="float32")
CARD = Pace(step=0.05, look=0.01, device="cuda", precision="bfloat16")


def test_steps_of_a_minute_and_of_a_run_of_which_a_fifth_is_scoring() -> None:
    assert LAPTOP.steps_a_minute(8, 256) == pytest.approx(60 / 3.96)
    assert LAPTOP.steps(10, 8, 256) == pytest.approx(0.8 * 600 / 3.96)


def test_a_fast_computer_takes_what_was_asked_for() -> None:
    assert fit_to_time(CARD, 1, 8, 256) == (8, 256)


@pytest.mark.parametrize(
    ("minutes", "fitted"), [(10, (8, 256)), (5, (4, 256)), (2, (2, 128)), (1, (2, 128))]
)
def test_batches_then_crops_become_smaller_for_a_short_time(
    minutes: float, fitted: tuple[int, int]
) -> None:
    assert fit_to_time(LAPTOP, minutes, 8, 256) == fitted


def test_what_was_asked_for_is_never_exceeded() -> None:
    assert fit_to_time(LAPTOP, 0.1, 2, 96) == (2, 96)


def test_a_round_time_is_proposed_in_which_something_is_learned() -> None:
    assert LAPTOP.minutes_needed(8, 256) == 10
    assert Pace(400.0, 1.0, "cpu", "float32").minutes_needed(8, 512) == 30 * 60
