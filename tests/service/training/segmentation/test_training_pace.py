"""Pace of a training on this computer: measured before it is promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_ssp.progress import run
from napari_ssp.service import TrainRequest
from napari_ssp.service.training.request_files import write_request
from napari_ssp.service.training.segmentation import pace
from napari_ssp.service.training.segmentation.measuring import fit_steps, pace_steps
from napari_ssp.service.training.segmentation.pace import (
    PaceRequest,
    describe_pace,
    fitted,
    known_pace,
    remember_pace,
)
from napari_ssp.training.pace import Pace
from napari_ssp.training.run_files import CHECKPOINT_FILE

if TYPE_CHECKING:
    from pathlib import Path

SLOW = Pace(step=7.55, look=2.0, device="cpu", precision="float32")


@pytest.fixture
def asked(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> TrainRequest:
    monkeypatch.setattr(pace, "_MEASURED", {})
    return TrainRequest(
        (tmp_path,), tmp_path / "run", base=str(tiny_model), minutes=1, device="cpu"
    )


def test_the_pace_is_measured_once_for_a_network(asked: TrainRequest) -> None:
    stages = [(step.stage, step.done) for step in pace_steps(PaceRequest(asked))]
    assert stages == [("measuring the speed of this computer", done) for done in range(3)]
    pace = known_pace(asked)
    assert pace is not None
    assert pace.step > 0 < pace.look
    assert (pace.device, pace.precision in ("float32", "bfloat16")) == ("cpu", True)
    assert list(pace_steps(PaceRequest(asked))) == []


def test_a_processor_without_bfloat16_is_said_to_learn_in_float32(
    asked: TrainRequest, old_processor: None
) -> None:
    pace = run(pace_steps(PaceRequest(_with(asked, trainable="heads"))))
    assert describe_pace(asked, pace)[0].find("(cpu in float32)") > 0


def test_the_plan_says_what_fits_and_how_long_is_needed(asked: TrainRequest) -> None:
    fact, warnings = describe_pace(asked, SLOW)
    assert fact == (
        "about 240 steps a minute on this computer (cpu in float32), with batches of 2 crops of "
        "128 px to fit the time"
    )
    assert warnings == ()
    fact, warnings = describe_pace(_with(asked, fit_to_time=False), SLOW)
    assert fact == "about 15 steps a minute on this computer (cpu in float32)"
    assert warnings == (
        "In 1 minute this computer takes about 12 steps, so that little is learned: choose 10 "
        "minutes.",
    )


def test_only_a_time_is_fitted(asked: TrainRequest) -> None:
    assert fitted(asked, SLOW).schedule.batch_size == 2
    for limit in ({"steps": 5}, {"epochs": 2.0}):
        counted = _with(asked, **limit)
        assert fitted(counted, SLOW) is counted
        assert run(fit_steps(counted)) is counted


def test_a_run_that_goes_on_keeps_its_batches_and_crops(asked: TrainRequest) -> None:
    remember_pace(asked, SLOW)
    asked.output.mkdir()
    begun = run(fit_steps(asked))
    assert (begun.schedule.batch_size, begun.crops.crop) == (2, 128)
    write_request(begun)
    (asked.output / CHECKPOINT_FILE).touch()
    remember_pace(asked, Pace(1e-6, 1e-6, "cpu", "float32"))  # another computer
    assert run(fit_steps(asked)) == begun


def _with(request: TrainRequest, **changes: object) -> TrainRequest:
    from napari_ssp.schema import flatten, restore

    return restore(TrainRequest, flatten(request) | changes)
