"""A run ends, and gives back its best network, as soon as a held-out score falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from napari_ssp.progress import run as drive
from napari_ssp.training.gate import Gate
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.training.loop import Batch

START = {"iou": 0.8, "ece": 0.02}
GATE = Gate("iou", "ece")


@pytest.mark.parametrize(
    ("later", "is_shut"),
    [
        ([], False),
        ([{"iou": 0.8, "ece": 0.02}], False),
        ([{"iou": 0.9, "ece": 0.01}, {"iou": 0.95, "ece": 0.01}], False),
        ([{"iou": 0.79, "ece": 0.02}], True),
        ([{"iou": 0.9, "ece": 0.021}], True),
        ([{"iou": 0.9, "ece": 0.02}, {"iou": 0.89, "ece": 0.02}], True),
        ([{"iou": 0.9, "ece": 0.02}, {"iou": 0.7, "ece": 0.02}, {"iou": 0.95, "ece": 0.02}], True),
        ([{"iou": float("nan"), "ece": 0.02}], True),
        ([{"iou": 0.9}], True),
    ],
)  # fmt: skip
def test_it_shuts_when_a_score_falls_behind_the_best(later: list[Any], is_shut: bool) -> None:
    assert GATE.is_shut([START, *later]) is is_shut


def test_slack_and_scores_that_are_to_be_low() -> None:
    assert not Gate("iou", "ece", slack=0.01).is_shut([START, {"iou": 0.791, "ece": 0.029}])
    assert Gate("iou", "ece", slack=0.01).is_shut([START, {"iou": 0.789, "ece": 0.02}])
    low = Gate("mae", "ece", minimise=True)
    assert not low.is_shut([{"mae": 0.5, "ece": 0.1}, {"mae": 0.4, "ece": 0.1}])
    assert low.is_shut([{"mae": 0.5, "ece": 0.1}, {"mae": 0.6, "ece": 0.1}])


def _batch(step: int) -> Batch:
    x = torch.full((1, 1), float(step + 1))
    return (x,), (x,)


def _run(folder: Path) -> TrainingRun:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    settings = LoopSettings(
        steps=6, minutes=60, smoothing=0.0, score_steps=1, score_base=True, metric="iou", gate=GATE
    )
    return TrainingRun(nn.Linear(1, 1), lambda y, t: (y - t).square().mean(), settings, folder)


class _Scores:
    """Scores that were decided before, and the weights that each was of."""

    def __init__(self, *scores: dict[str, float]) -> None:
        self.left = list(scores)
        self.weights: list[torch.Tensor] = []

    def __call__(self, network: nn.Module) -> Any:
        yield from ()
        self.weights.append(next(network.parameters()).detach().clone())
        return self.left.pop(0)


BETTER, BEST = {"iou": 0.85, "ece": 0.02}, {"iou": 0.9, "ece": 0.02}
WORSE, FALSE = {"iou": 0.5, "ece": 0.02}, {"iou": 0.99, "ece": 0.2}


@pytest.mark.parametrize(
    ("later", "best"),
    [([WORSE], 0), ([FALSE], 0), ([BETTER, BEST, WORSE], 2), ([BETTER, FALSE], 1)],
)
def test_the_run_ends_at_once_and_the_best_comes_back(
    tmp_path: Path, later: list[dict[str, float]], best: int
) -> None:
    run, scores = _run(tmp_path), _Scores(START, *later, BEST, BEST)
    network = drive(fit(run, _batch, scores))
    assert run.step == len(later), "no step after the one that was refused"
    assert [row["step"] for row in run.rows] == [*range(len(later) + 1)]
    assert torch.equal(next(network.parameters()), scores.weights[best])
    assert run.best["step"] == best


def test_a_run_that_was_shut_stays_shut(tmp_path: Path) -> None:
    drive(fit(_run(tmp_path), _batch, _Scores(START, BETTER, WORSE)))
    again = _run(tmp_path)
    again.resume()
    scores = _Scores()
    network = drive(fit(again, _batch, scores))
    assert (again.step, again.best["iou"], scores.weights) == (2, 0.85, [])
    assert not network.training


def test_without_a_fall_it_goes_on_to_its_end(tmp_path: Path) -> None:
    run = _run(tmp_path)
    drive(fit(run, _batch, _Scores(START, *[BEST] * 6)))
    assert run.step == 6
    assert not run.is_shut


def test_rates_fall_to_a_tenth_in_each_sixth_of_a_run(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    settings = LoopSettings(steps=300, optimiser="radam", schedule="steps", learning_rate=1e-2)
    run = TrainingRun(nn.Linear(1, 1), lambda y, t: (y - t).square().mean(), settings, tmp_path)
    assert isinstance(run.optimiser, torch.optim.RAdam)
    rates = []
    for epoch in (0, 49, 50, 99, 100, 150, 200, 250, 299, 300):
        run.step = epoch
        rates.append(run.rate())
    wanted = [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-7, 1e-7]
    assert rates == pytest.approx(wanted)
