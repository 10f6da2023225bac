"""Requests to train: values in groups, which are flat for scripts and in files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from napari_ssp.schema import flatten, restore
from napari_ssp.service import TrainRequest
from napari_ssp.service.training.requests import CellsMachine, Crops, Schedule


def test_values_of_a_group_may_be_given_in_its_place() -> None:
    first = TrainRequest((Path("a"),), Path("run"), steps=9, minutes=None, crop=64, seed=3)
    assert (first.schedule.steps, first.crops.crop, first.machine.seed) == (9, 64, 3)
    second = replace(first, steps=10)
    assert (second.schedule.steps, second.schedule.minutes, second.crops.crop) == (10, None, 64)
    assert second == TrainRequest(
        (Path("a"),),
        Path("run"),
        schedule=Schedule(steps=10, minutes=None),
        crops=Crops(crop=64),
        machine=CellsMachine(seed=3),
    )
    assert restore(TrainRequest, flatten(second)) == second
    with pytest.raises(ValueError, match="multiple of 32"):
        replace(first, crop=65)
    with pytest.raises(TypeError, match="stepz"):
        TrainRequest((Path("a"),), Path("run"), stepz=9)
