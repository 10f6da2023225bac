from __future__ import annotations

import pytest

from napari_ssp.training.pace import Pace, Sides, fit_to_time

CELLS, STACKS = Sides(smallest=128, multiple=32), Sides(smallest=64, multiple=16)
#: 2 crops of 256 px take 0.99 s, as on a laptop.
LAPTOP = Pace(step=0.99e6 / (2 * 256**2), look=2.0, device="cpu", precision="float32")
CARD = Pace(step=0.05, look=0.01, device="cuda", precision="bfloat16")


def test_steps_of_a_minute_and_of_a_run_of_which_a_fifth_is_scoring() -> None:
    assert LAPTOP.steps_a_minute(8, (256, 256)) == pytest.approx(60 / 3.96)
    assert LAPTOP.steps(10, 8, (256, 256)) == pytest.approx(0.8 * 600 / 3.96)


def test_a_step_of_stacks_takes_as_long_as_its_voxels() -> None:
    pace = Pace(step=8.0, look=2.0, device="cpu", precision="float32")
    assert pace.steps_a_minute(2, (16, 100, 125)) == pytest.approx(60 / 3.2)


def test_a_scoring_looks_at_overlapping_windows_and_takes_at_most_its_share() -> None:
    assert LAPTOP.scoring(9e6, 2, 60) == pytest.approx(9 * 2.0 / 0.75**2)
    assert LAPTOP.scoring(27e6, 3, 60) == pytest.approx(27 * 2.0 / 0.75**3)
    assert LAPTOP.scoring(1e12, 2, 10) == pytest.approx(30.0), "a twentieth, before and after"


def test_a_fast_computer_takes_what_was_asked_for() -> None:
    assert fit_to_time(CARD, 1, 8, (256, 256), CELLS) == (8, (256, 256))


@pytest.mark.parametrize(
    ("minutes", "batch", "side"), [(10, 8, 256), (5, 4, 256), (2, 2, 128), (1, 2, 128)]
)
def test_batches_then_crops_become_smaller_for_a_short_time(
    minutes: float, batch: int, side: int
) -> None:
    assert fit_to_time(LAPTOP, minutes, 8, (256, 256), CELLS) == (batch, (side, side))


@pytest.mark.parametrize(
    ("minutes", "fitted"),
    [(60, (8, (32, 128, 128))), (20, (2, (32, 128, 128))), (5, (2, (32, 64, 64)))],
)
def test_crops_of_stacks_keep_their_planes(
    minutes: float, fitted: tuple[int, tuple[int, ...]]
) -> None:
    """8 crops take 25 s, which is a hundred in 52 minutes; 2 of a quarter of the area 1.6 s."""
    pace = Pace(step=6.0, look=2.0, device="cpu", precision="float32")
    assert fit_to_time(pace, minutes, 8, (32, 128, 128), STACKS) == fitted


def test_what_was_asked_for_is_never_exceeded() -> None:
    assert fit_to_time(LAPTOP, 0.1, 2, (96, 96), CELLS) == (2, (96, 96))
    assert fit_to_time(LAPTOP, 0.1, 2, (32, 48, 96), STACKS) == (2, (32, 48, 64))


def test_a_round_time_is_proposed_in_which_something_is_learned() -> None:
    assert LAPTOP.minutes_needed(8, (256, 256)) == 10
    assert Pace(400.0, 1.0, "cpu", "float32").minutes_needed(8, (512, 512)) == 30 * 60
