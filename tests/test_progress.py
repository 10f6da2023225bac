"""Long work on a thread of its own: heard while nothing comes, ended early, done beforehand."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from napari_ssp.progress import Ahead, Background, Progress, run, tell_about

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_ssp.progress import Steps


def test_steps_result_and_errors_come_through() -> None:
    def count() -> Generator[int, None, str]:
        yield 1
        yield 2
        return "done"

    steps = Background(count()).steps()
    assert [next(steps), next(steps)] == [1, 2]
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "done"

    def fail() -> Generator[int, None, None]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(Background(fail()).steps())


def test_a_step_that_never_ends_is_left_at_once() -> None:
    free, ended = threading.Event(), threading.Event()

    def wait() -> Generator[int, None, None]:
        try:
            yield 1
            free.wait()
            yield 2
        finally:
            ended.set()

    with closing(Background(wait(), free.set).steps(0.01)) as steps:
        assert next(steps) == 1
        assert [next(steps), next(steps)] == [None, None]
        assert not ended.is_set()
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert ended.wait(5)


def test_work_goes_on_only_when_it_is_asked() -> None:
    done: list[int] = []

    def note() -> Generator[int, None, None]:
        for number in range(3):
            done.append(number)
            yield number

    steps = Background(note()).steps()
    assert next(steps) == 0
    time.sleep(0.05)
    assert done == [0]
    steps.close()


def test_a_preparation_is_done_once_and_says_what_is_waited_for() -> None:
    free, done = threading.Event(), []

    def prepare() -> Iterator[None]:
        free.wait(10)
        yield
        done.append(threading.current_thread())

    ahead = Ahead(prepare)
    ahead.begin()
    steps = ahead.steps("compiling", patience=0.01)
    assert [next(steps), next(steps)] == [Progress("compiling")] * 2
    free.set()
    run(steps)
    assert len(done) == 1
    assert done[0] is not threading.current_thread()
    assert list(ahead.steps("compiling")) == []
    assert len(done) == 1


def test_a_preparation_ends_between_two_steps_when_python_does() -> None:
    begun, free, done = threading.Event(), threading.Event(), []

    def prepare() -> Iterator[None]:
        begun.set()
        free.wait(10)
        done.append(1)
        yield
        done.append(2)

    ahead = Ahead(prepare)
    ahead.begin()
    begun.wait(10)
    ahead.stop(0)
    free.set()
    ahead.stop()
    assert done == [1]


def counted(done: list[int], free: threading.Event) -> Iterator[None]:
    for number in range(3):
        free.wait(10)
        done.append(number)
        yield


def test_a_preparation_rests_behind_the_first_result_only() -> None:
    done: list[int] = []
    free = threading.Event()
    ahead = Ahead(lambda: counted(done, free))
    ahead.GRACE = 0.01
    with ahead.resting():
        ahead.begin()
        assert not ahead.is_under_way
        free.set()
        run(ahead.first_steps("loading"))
        assert ahead.is_under_way
        time.sleep(0.1)
        assert done == [0]
        with ahead.resting():  # of a second request, which takes no part in it
            pass
        time.sleep(0.1)
        assert done == [0]
    run(ahead.steps("compiling"))
    assert done == [0, 1, 2]
    assert not ahead.is_under_way


def test_who_cannot_do_without_a_preparation_ends_its_rest() -> None:
    done: list[int] = []
    free = threading.Event()
    free.set()
    ahead = Ahead(lambda: counted(done, free))
    with ahead.resting():
        run(ahead.first_steps("loading"))
        began = time.monotonic()
        run(ahead.steps("compiling"))
        assert done == [0, 1, 2]
    assert time.monotonic() - began < Ahead.GRACE


def test_a_preparation_at_rest_ends_when_python_does() -> None:
    done: list[int] = []
    free = threading.Event()
    free.set()
    ahead = Ahead(lambda: counted(done, free))
    with ahead.resting():
        run(ahead.first_steps("loading"))
        began = time.monotonic()
        ahead.stop()
    assert time.monotonic() - began < Ahead.GRACE
    assert done == [0]


def test_a_preparation_without_long_steps_is_waited_for() -> None:
    done = []

    def prepare() -> Iterator[None]:
        time.sleep(0.05)
        done.append(1)
        yield from ()

    ahead = Ahead(prepare)
    assert set(ahead.first_steps("loading", patience=0.01)) == {Progress("loading")}
    assert done == [1]
    assert not ahead.is_under_way


def test_a_preparation_that_fails_leaves_the_error_to_who_needs_it() -> None:
    def prepare() -> Iterator[None]:
        yield
        raise ImportError("no torch")

    assert list(Ahead(prepare).steps("loading", patience=5)) in ([], [Progress("loading")])


def test_a_part_is_told_with_what_it_is_about_and_closed_with_the_whole() -> None:
    ended = []

    def work() -> Steps[int]:
        try:
            yield Progress("windows", 1, 4)
            yield Progress("tracking flows")
        finally:
            ended.append(True)
        return 7

    assert run(tell_about("cells", work())) == 7
    with closing(tell_about("cells", work())) as steps:
        assert next(steps) == Progress("cells: windows", 1, 4)
        assert ended == [True]
    assert ended == [True, True]
