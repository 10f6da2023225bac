from __future__ import annotations

from napari_ssp.progress import Progress
from napari_ssp.widgets.docks.time_left import TimeLeft


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_left_is_extrapolated_from_the_start_of_counting() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    assert left.describe(Progress("loading", 0, 0)) == "loading …"
    clock.now = 130
    assert left.describe(Progress("windows", 0, 10)) == "windows …"
    clock.now = 140
    assert left.describe(Progress("windows", 4, 10)) == "windows, about 15 s left"
    assert left.describe(Progress("windows", 10, 10)) == "windows …"


def test_long_times_are_in_minutes_and_hours() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.seconds(Progress("windows", 0, 1000))
    clock.now = 110
    assert left.describe(Progress("windows", 10, 1000)) == "windows, about 16 min left"
    clock.now = 200
    assert left.describe(Progress("windows", 10, 1000)) == "windows, about 2.8 h left"


def test_a_stage_that_counts_coarsely_does_not_turn_time_back() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.seconds(Progress("plane 1 of 4", 0, 40))
    clock.now = 110
    assert left.seconds(Progress("plane 1 of 4", 10, 40)) == 30
    assert left.seconds(Progress("tracking flows", 0, 4)) == 30


def test_a_new_stage_counts_from_its_own_start() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    for done in range(1, 5):
        clock.now += 1
        left.describe(Progress("reading the stack", done, 4))
    assert left.describe(Progress("windows", 0, 100)) == "windows …"
    clock.now += 10
    assert left.describe(Progress("windows", 20, 100)) == "windows, about 40 s left"
