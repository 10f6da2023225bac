from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from napari_ssp.progress import Progress, run
from napari_ssp.service import (
    CancelledError,
    Job,
    JobState,
    ModelService,
    VerifyModelsRequest,
)
from napari_ssp.service.compute.local import LocalBackend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def backend() -> Iterator[LocalBackend]:
    backend = LocalBackend()
    yield backend
    backend.close()


def _counting(total: int, seen: list[int] | None = None, pause: float = 0.0) -> Any:
    def steps() -> Any:
        try:
            for done in range(total):
                time.sleep(pause)
                yield Progress("counting", done + 1, total)
            return total
        finally:
            if seen is not None:
                seen.append(done)

    return steps


def test_a_job_returns_its_result_and_reports_every_step(backend: LocalBackend) -> None:
    job: Job[int] = Job("request", _counting(3))
    seen: list[Progress] = []
    job.events.progressed.connect(seen.append)
    backend.submit(job)
    assert job.result(timeout=10) == 3
    assert job.state is JobState.DONE
    assert [p.done for p in seen] == [1, 2, 3]
    assert job.progress.fraction == 1.0


def test_jobs_run_one_after_the_other_off_this_thread(backend: LocalBackend) -> None:
    names: list[str] = []

    def named() -> Any:
        names.append(threading.current_thread().name)
        yield Progress("x")

    jobs = [Job(k, named) for k in range(3)]
    for job in jobs:
        backend.submit(job)
    for job in jobs:
        job.result(timeout=10)
    assert set(names) == {"napari-ssp worker"}


def test_an_error_reaches_the_caller_with_its_cause(backend: LocalBackend) -> None:
    def failing() -> Any:
        yield Progress("x")
        try:
            raise OSError("no such disk")
        except OSError as error:
            raise ValueError("cannot read") from error

    job: Job[None] = Job("request", failing)
    backend.submit(job)
    with pytest.raises(ValueError, match="cannot read") as caught:
        job.result(timeout=10)
    assert isinstance(caught.value.__cause__, OSError)
    assert job.state is JobState.FAILED
    after: Job[int] = Job("next", _counting(1))
    backend.submit(after)
    assert after.result(timeout=10) == 1


def test_cancel_closes_the_work_and_frees_the_worker(backend: LocalBackend) -> None:
    reached: list[int] = []
    job: Job[int] = Job("request", _counting(100_000, reached, pause=0.001))
    ended = threading.Event()
    job.events.ended.connect(ended.set)
    backend.submit(job)
    while job.progress.done < 3:
        time.sleep(0.001)
    job.cancel()
    assert ended.wait(10)
    assert job.state is JobState.CANCELLED
    assert reached
    assert reached[0] < 100_000 - 1
    with pytest.raises(CancelledError):
        job.result(timeout=1)
    after: Job[int] = Job("next", _counting(2))
    backend.submit(after)
    assert after.result(timeout=10) == 2


def test_a_waiting_job_is_cancelled_at_once_and_never_starts(backend: LocalBackend) -> None:
    gate = threading.Event()
    started: list[str] = []

    def blocked() -> Any:
        gate.wait(10)
        yield Progress("x")

    def never() -> Any:
        started.append("started")
        yield Progress("x")

    first, second = Job("first", blocked), Job("second", never)
    backend.submit(first)
    backend.submit(second)
    second.cancel()
    assert second.state is JobState.CANCELLED
    gate.set()
    first.result(timeout=10)
    backend.close()
    assert started == []


def test_waiting_too_long_says_where_the_job_is(backend: LocalBackend) -> None:
    job: Job[int] = Job("request", _counting(1000, pause=0.01))
    backend.submit(job)
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        job.result(timeout=0.05)
    job.cancel()


def test_close_cancels_everything_and_may_be_called_twice(backend: LocalBackend) -> None:
    jobs = [Job(k, _counting(100_000, pause=0.001)) for k in range(3)]
    for job in jobs:
        backend.submit(job)
    backend.close()
    backend.close()
    assert {job.state for job in jobs} == {JobState.CANCELLED}


def test_run_drives_a_generator_to_its_result() -> None:
    assert run(_counting(4)()) == 4


@pytest.mark.parametrize(("done", "total", "share"), [(1, 4, 0.25), (9, 4, 1.0), (3, 0, None)])
def test_fraction(done: int, total: int, share: float | None) -> None:
    assert Progress("x", done, total).fraction == share


def test_a_closed_service_takes_nothing_more() -> None:
    service = ModelService()
    service.close()
    service.close()
    with pytest.raises(RuntimeError, match=r"model service was closed.*Make a new ModelService"):
        service.submit(VerifyModelsRequest())
    with ModelService() as other:
        assert other.submit(VerifyModelsRequest(("mediar-starter",))).result(60)[0].state == "ok"
