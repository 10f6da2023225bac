from __future__ import annotations

from napari_ssp.progress import Progress
from napari_ssp.widgets.docks.time_left import TimeLeft


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_left_is_that_of_the_parts_after_the_first() -> None:
    """The first patch takes 20 s, since everything is warmed up in it; the others take 2 s."""
    clock = Clock()
    left = TimeLeft(clock)
    assert left.describe(Progress("loading", 0, 0)) == "loading …"
    clock.now = 130
    assert left.describe(Progress("patches", 0, 30)) == "patches …"
    clock.now = 150
    assert left.describe(Progress("patches", 1, 30)) == "patches …", "not yet 580 s"
    found = []
    for done in range(2, 31):
        clock.now += 2
        found.append(left.seconds(Progress("patches", done, 30)))
    assert [round(seconds or 0) for seconds in found] == [2 * (30 - done) for done in range(2, 31)]
    assert left.describe(Progress("patches", 30, 30)) == "patches …"


def test_parts_that_are_slow_each_time_count() -> None:
    """After each plane of 4 windows its flows are tracked, which takes 6 s."""
    clock = Clock()
    left = TimeLeft(clock)
    for done in range(0, 21):
        if done > 1:
            clock.now += 7 if done % 4 == 1 else 1
        seconds = left.seconds(Progress("windows", done, 40))
    assert seconds is not None
    assert 20 * 2.0 < seconds < 20 * 2.5


def test_long_times_are_in_minutes_and_hours() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.seconds(Progress("windows", 0, 1000))
    left.seconds(Progress("windows", 1, 1000))
    clock.now = 110
    assert left.describe(Progress("windows", 11, 1000)) == "windows, about 16 min left"
    clock.now = 200
    assert left.describe(Progress("windows", 11, 1000)) == "windows, about 2.7 h left"


def test_a_stage_that_counts_coarsely_does_not_turn_time_back() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.seconds(Progress("plane 1 of 4", 0, 40))
    left.seconds(Progress("plane 1 of 4", 1, 40))
    clock.now = 109
    assert left.seconds(Progress("plane 1 of 4", 10, 40)) == 30
    assert left.seconds(Progress("tracking flows", 0, 4)) == 30


def test_a_new_stage_counts_from_its_own_start() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    for done in range(1, 5):
        clock.now += 1
        left.describe(Progress("reading the stack", done, 4))
    assert left.describe(Progress("windows", 0, 100)) == "windows …"
    clock.now += 20
    assert left.describe(Progress("windows", 10, 100)) == "windows …"
    clock.now += 10
    assert left.describe(Progress("windows", 20, 100)) == "windows, about 80 s left"
