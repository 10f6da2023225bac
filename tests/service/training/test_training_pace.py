"""Pace of a training on this computer: measured before it is promised."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from napari_ssp.progress import run
from napari_ssp.schema import flatten, restore
from napari_ssp.service import TrainRequest, TrainStructuresRequest
from napari_ssp.service.results import DataSize
from napari_ssp.service.training import pace
from napari_ssp.service.training.measuring import fit_steps, pace_steps
from napari_ssp.service.training.pace import (
    PaceRequest,
    describe_pace,
    fitted,
    known_pace,
    remember_pace,
)
from napari_ssp.service.training.request_files import write_request
from napari_ssp.training.pace import Pace
from napari_ssp.training.run_files import CHECKPOINT_FILE

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T", TrainRequest, TrainStructuresRequest)
SIZE = DataSize()
SLOW = Pace(step=7.55, look=2.0, device="cpu", precision="float32")

STACKS = Pace(step=6.0, look=2.0, device="cpu", precision="float32")


@pytest.fixture
def asked(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> TrainRequest:
    monkeypatch.setattr(pace, "_MEASURED", {})
    return TrainRequest(
        (tmp_path,), tmp_path / "run", base=str(tiny_model), minutes=1, device="cpu"
    )


@pytest.fixture
def stacks(tmp_path: Path, tiny_structures: Path, asked: TrainRequest) -> TrainStructuresRequest:
    base = str(tiny_structures)
    run_folder = tmp_path / "structures"
    return TrainStructuresRequest((tmp_path,), run_folder, base=base, minutes=1, device="cpu")


@pytest.mark.parametrize(
    ("kind", "precisions"), [("asked", {"float32", "bfloat16"}), ("stacks", {"float32"})]
)
def test_the_pace_is_measured_once_for_a_network(
    kind: str, precisions: set[str], request: pytest.FixtureRequest
) -> None:
    training = request.getfixturevalue(kind)
    stages = [(step.stage, step.done) for step in pace_steps(PaceRequest(training))]
    assert stages == [("measuring the speed of this computer", done) for done in range(3)]
    pace = known_pace(training)
    assert pace is not None
    assert pace.step > 0 < pace.look
    assert pace.device == "cpu"
    assert pace.precision in precisions, "on a CPU volumes are learned in float32"
    assert list(pace_steps(PaceRequest(training))) == []


def test_each_kind_has_a_pace_of_its_own(
    asked: TrainRequest, stacks: TrainStructuresRequest
) -> None:
    remember_pace(asked, SLOW)
    assert known_pace(stacks) is None
    assert known_pace(replace(asked, base=None)) is None, "another network"
    assert known_pace(_with(stacks, learning_rate=0.5)) is None
    remember_pace(stacks, STACKS)
    assert known_pace(_with(stacks, learning_rate=0.5)) is STACKS


def test_the_plan_of_structures_says_what_fits_and_how_long_scoring_takes(
    stacks: TrainStructuresRequest,
) -> None:
    size = DataSize(((20, 300, 300), (9, 300, 300)), scored=1e6)
    fact, warnings = describe_pace(_with(stacks, minutes=20), STACKS, size)
    assert fact == (
        "about 9.5 steps a minute on this computer (cpu in float32), with batches of 2 crops of "
        "32 × 128 × 128 voxels to fit the time, and about 4.7 s for each scoring"
    )
    assert warnings == ()
    assert (
        "less than a second for each" in describe_pace(stacks, STACKS, replace(size, scored=1e5))[0]
    )
    fact, warnings = describe_pace(stacks, STACKS, size)
    assert fact == (
        "about 38 steps a minute on this computer (cpu in float32), with batches of 2 crops of "
        "32 × 64 × 64 voxels to fit the time, and about 3 s for each scoring"
    )
    assert warnings == (
        "In 1 minute this computer takes about 31 steps, so that little is learned: choose 5 "
        "minutes.",
    )


def test_crops_are_no_deeper_than_the_stacks(stacks: TrainStructuresRequest) -> None:
    flat = DataSize(((1, 300, 300),))
    assert describe_pace(_with(stacks, fit_to_time=False), STACKS, flat)[0].startswith("about 4.8 ")
    shallow = fitted(_with(stacks, minutes=10), STACKS, flat)
    assert (shallow.schedule.batch_size, shallow.crop) == (2, (32, 128, 128))
    unknown = fitted(_with(stacks, minutes=10), STACKS)
    assert (unknown.schedule.batch_size, unknown.crop) == (2, (32, 64, 64))


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


def test_structures_of_which_steps_are_counted_are_learned_as_asked_for(
    stacks: TrainStructuresRequest,
) -> None:
    counted = _with(stacks, steps=5)
    assert run(fit_steps(counted, SIZE)) is counted


def test_a_run_on_structures_that_goes_on_keeps_its_batches_and_crops(
    stacks: TrainStructuresRequest,
) -> None:
    remember_pace(stacks, STACKS)
    stacks.output.mkdir()
    begun = run(fit_steps(stacks, SIZE))
    assert (begun.schedule.batch_size, begun.crop) == (2, (32, 64, 64))
    write_request(begun)
    (stacks.output / CHECKPOINT_FILE).touch()
    remember_pace(stacks, Pace(1e-6, 1e-6, "cpu", "float32"))  # another computer
    assert run(fit_steps(stacks, SIZE)) == begun


def test_only_a_time_is_fitted(asked: TrainRequest) -> None:
    assert fitted(asked, SLOW).schedule.batch_size == 2
    for limit in ({"steps": 5}, {"epochs": 2.0}):
        counted = _with(asked, **limit)
        assert fitted(counted, SLOW) is counted
        assert run(fit_steps(counted, SIZE)) is counted


def test_a_run_that_goes_on_keeps_its_batches_and_crops(asked: TrainRequest) -> None:
    remember_pace(asked, SLOW)
    asked.output.mkdir()
    begun = run(fit_steps(asked, SIZE))
    assert (begun.schedule.batch_size, begun.crops.crop) == (2, 128)
    write_request(begun)
    (asked.output / CHECKPOINT_FILE).touch()
    remember_pace(asked, Pace(1e-6, 1e-6, "cpu", "float32"))  # another computer
    assert run(fit_steps(asked, SIZE)) == begun


def _with(request: T, **changes: object) -> T:
    return restore(type(request), flatten(request) | changes)
