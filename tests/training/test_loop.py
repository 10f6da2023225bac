from __future__ import annotations

import io
import math
import os
import time
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from napari_ssp.progress import Progress, run as drive
from napari_ssp.training.loop import SCORED, LoopSettings, TrainingRun, fit
from napari_ssp.training.records import load_state
from napari_ssp.training.run_files import CHECKPOINT_FILE
from napari_ssp.training.scored_images import ScoredImages

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.training.loop import Batch


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))


def _batch(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x = torch.rand(4, 1, 8, 8, generator=generator)
    return (x,), (3 * x,)


def _score(_: nn.Module) -> Any:
    yield from ()
    return {"nothing": 0.0}


def _run(folder: Path, steps: int, workers: int = 0) -> TrainingRun:
    settings = LoopSettings(
        steps=steps, minutes=60, learning_rate=0.05, smoothing=0.9, workers=workers
    )
    folder.mkdir(exist_ok=True)
    return TrainingRun(_network(), lambda y, t: (y.float() - t).square().mean(), settings, folder)


def test_the_loop_learns_and_returns_the_smoothed_network(tmp_path: Path) -> None:
    run = _run(tmp_path, 60)
    (x,), (target,) = _batch(1000)
    with torch.no_grad():
        before = (run.network(x) - target).square().mean()
    network = drive(fit(run, _batch, _score))
    with torch.no_grad():
        after = (network(x) - target).square().mean()
    assert after < 0.1 * before
    assert not network.training
    assert run.step == 60


def test_what_is_being_done_is_said_from_the_first_moment(tmp_path: Path) -> None:
    run = _run(tmp_path, 3)
    run.settings = replace(run.settings, metric="f1", score_base=True, score_steps=2)
    run.validation = ScoredImages(range(4))

    def score(_: nn.Module) -> Any:
        for done in range(1, 5):
            yield Progress("windows", 0, 9)
            yield Progress(SCORED, done, 4)
        return {"f1": 0.5}

    seen = list(fit(run, _batch, score))
    stages = [key for key, _ in groupby(step.stage.split(",")[0] for step in seen)]
    assert stages == ["scoring the base", "learning", "scoring", "learning", "scoring"]
    base = [(step.done, step.total) for step in seen if step.stage == "scoring the base"]
    assert base == [(n // 2, 4) for n in range(1, 9)]
    learning = [step.preview for step in seen if step.stage.startswith("learning")]
    assert math.isnan(learning[0].loss), "it is said before the first step is over"
    assert (learning[1].step, math.isfinite(learning[1].loss)) == (1, True)
    assert (learning[1].scored, learning[1].validation) == (4, 4)
    assert [row["step"] for row in seen[-1].preview.rows] == [2, 3], "the last score is shown, too"


def test_scoring_is_part_of_the_time_but_leaves_four_fifths_for_learning(tmp_path: Path) -> None:
    run = _run(tmp_path, 10**6)
    run.settings = replace(run.settings, metric="f1", score_base=True, minutes=0.005)

    def score(_: nn.Module) -> Any:
        time.sleep(0.2)
        yield Progress(SCORED, 1, 1)
        return {"f1": 0.5}

    began = time.monotonic()
    drive(fit(run, _batch, score))
    assert time.monotonic() - began > 0.4 + 0.8 * 0.3
    assert run.step > 0


def test_a_run_goes_on_scoring_the_same_images(tmp_path: Path) -> None:
    def start() -> TrainingRun:
        run = _run(tmp_path, 4)
        run.validation = ScoredImages(range(9), 60.0)
        run.resume()
        return run

    first = start()
    first.base, first.validation.count = {"f1": 0.5}, 3
    first.save()
    assert start().validation.count == 3


def test_a_run_that_scored_all_goes_on_doing_so(tmp_path: Path) -> None:
    """As those of earlier versions, whose checkpoints do not say how many."""
    old = _run(tmp_path, 4)
    old.base = {"f1": 0.5}
    old.save()
    assert "scored" not in (load_state(tmp_path / CHECKPOINT_FILE) or {})
    new = _run(tmp_path, 4)
    new.validation = ScoredImages(range(9), 60.0)
    new.resume()
    assert new.validation.count == 9


def test_a_score_that_looks_like_the_base_is_a_tie(tmp_path: Path) -> None:
    def score(_: nn.Module) -> Any:
        yield from ()
        return {"f1": 0.93916}  # rounds up to more than it is

    run = _run(tmp_path, 3)
    run.settings = replace(run.settings, metric="f1", score_base=True)
    drive(fit(run, _batch, score))
    assert run.base["f1"] == run.best["f1"] == 0.9392


def test_of_equal_scores_the_later_weights_are_kept(tmp_path: Path) -> None:
    """They have learned more; few objects give the same score again and again."""
    scores = iter([0.5, 0.7, 0.7, float("nan"), 0.6])

    def score(_: nn.Module) -> Any:
        yield from ()
        return {"f1": next(scores)}

    run = _run(tmp_path, 5)
    run.settings = replace(run.settings, metric="f1", score_steps=1)
    drive(fit(run, _batch, score))
    assert (run.best["step"], run.best["f1"]) == (3, 0.7)


def test_a_broken_run_continues_to_the_same_weights(tmp_path: Path) -> None:
    whole = _run(tmp_path / "whole", 10)
    expected = drive(fit(whole, _batch, _score)).state_dict()

    broken = _run(tmp_path / "broken", 10)
    for _ in range(4):
        broken.learn(_batch(broken.step))
    broken.save()
    broken.learn(_batch(broken.step))  # lost by the interruption

    continued = _run(tmp_path / "broken", 10)
    assert continued.resume()
    assert continued.step == 4
    found = drive(fit(continued, _batch, _score)).state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


class _Killed(BaseException):
    """The process is gone: nothing may be tidied up."""


class _Moments:
    """Moments at which a run may be killed; kills at one of them, a file then is half written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fatal: int = 0) -> None:
        self.seen, self.fatal = 0, fatal
        save, rename = torch.save, os.replace

        def half_written(state: Any, file: Any) -> None:
            buffer = io.BytesIO()
            save(state, buffer)
            whole = buffer.getvalue()
            file.write(whole[: len(whole) // 2])
            self.pass_one()
            file.write(whole[len(whole) // 2 :])

        def renamed(path: Path, target: Path) -> None:
            self.pass_one()
            rename(path, target)
            self.pass_one()

        monkeypatch.setattr(torch, "save", half_written)
        monkeypatch.setattr(os, "replace", renamed)

    def pass_one(self) -> None:
        self.seen += 1
        if self.seen == self.fatal:
            raise _Killed


def test_a_run_killed_at_any_moment_ends_as_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after every step, write and rename, and in the middle of every write."""

    def attempt(folder: Path, fatal: int = 0) -> tuple[_Moments, dict[str, torch.Tensor], Any]:
        with monkeypatch.context() as patch:
            moments = _Moments(patch, fatal)
            run = _run(folder, 4)
            run.settings = replace(
                run.settings,
                metric="error",
                minimise=True,
                score_base=True,
                score_steps=2,
                checkpoint_minutes=0,
            )
            run.resume()

            def score(network: nn.Module) -> Any:
                moments.pass_one()
                yield from ()
                (x,), (target,) = _batch(1000)
                with torch.no_grad():
                    return {"error": float((network(x) - target).square().mean())}

            learn = run.learn

            def learned(batch: Batch) -> float:
                moments.pass_one()
                return learn(batch)

            patch.setattr(run, "learn", learned)
            weights = drive(fit(run, _batch, score)).state_dict()
            rows = [{**row, "minutes": 0} for row in (run.base, *run.rows, run.best)]
            return moments, weights, rows

    unbroken, expected, expected_rows = attempt(tmp_path / "unbroken")
    assert unbroken.seen > 30
    for fatal in range(1, unbroken.seen + 1):
        folder = tmp_path / str(fatal)
        with pytest.raises(_Killed):
            attempt(folder, fatal)
        _, found, rows = attempt(folder)
        assert rows == expected_rows, fatal
        for name, value in expected.items():
            assert torch.equal(found[name], value), (fatal, name)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a single core
def test_processes_give_the_batches_of_one_thread_in_order(tmp_path: Path) -> None:
    alone = drive(fit(_run(tmp_path / "alone", 7), _batch, _score)).state_dict()
    helped = drive(fit(_run(tmp_path / "helped", 7, workers=2), _batch, _score)).state_dict()
    for name, value in alone.items():
        torch.testing.assert_close(helped[name], value)


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    assert not _run(tmp_path, 3).resume()


def test_closing_the_loop_ends_its_thread(tmp_path: Path) -> None:
    import threading

    steps = fit(_run(tmp_path, 1000), _batch, _score)
    for _ in range(3):
        next(steps)
    steps.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]


def test_the_rate_warms_up_and_falls(tmp_path: Path) -> None:
    run = _run(tmp_path, 100)
    rates = []
    for step in range(100):
        run.step = step
        rates.append(run.rate())
    peak = rates.index(max(rates))
    assert 1 <= peak <= 4
    assert rates[-1] < 0.05 * max(rates)
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
