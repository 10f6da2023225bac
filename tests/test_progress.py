"""Long work on a thread of its own: the same steps, heard while nothing comes, ended early."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from napari_ssp.progress import Background

if TYPE_CHECKING:
    from collections.abc import Generator


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
