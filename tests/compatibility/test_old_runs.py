"""Runs that version 0.1.0 began: they go on to their end."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from readers import checkpoint, last_interrupted
from stated import TASKS

from napari_ssp.cli import main
from napari_ssp.registry import find_card, load_model
from napari_ssp.service import FinishTrainingRequest, ModelService

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LayOut

PARTS = ("cache/models", "training", "tables")


def _laid_out(lay_out: LayOut, name: str) -> Path:
    run = f"cache/runs/{name}-20261129-120000"
    return lay_out(*PARTS, run) / run


def _rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _state(run: Path) -> dict[str, Any]:
    state = checkpoint(run)
    assert state is not None
    return state


@pytest.mark.parametrize("name", ["cells", "lora"])
def test_a_stopped_run_of_cells_goes_on(lay_out: LayOut, name: str) -> None:
    run = _laid_out(lay_out, name)
    before, state, listed = _rows(run), _state(run), (run / "data.csv").read_bytes()
    assert (state["step"], [row["step"] for row in before]) == (2, ["1"])
    words = ["train", "segmentation", "--resume", "-o", str(run)]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows, after = _rows(run), _state(run)
    assert after["step"] == 4
    assert set(after) == set(state)
    assert set(after["network"]) == set(state["network"])
    assert rows[:1] == before
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert after["rows"][:1] == state["rows"]
    assert (run / "data.csv").read_bytes() == listed
    load_model(run)


def test_a_stopped_run_of_structures_is_found_and_goes_on(lay_out: LayOut) -> None:
    run = _laid_out(lay_out, "tubulin")
    lay_out("cache/runs/over-20261129-120000")
    for age, name in enumerate(("over", "tubulin")):
        os.utime(run.with_name(f"{name}-20261129-120000"), (10**9 - age, 10**9 - age))
    state, listed = _state(run), (run / "data.csv").read_bytes()
    assert state["step"] == 2
    request = last_interrupted()
    assert request is not None
    assert request.output == run
    with ModelService() as service:
        model = service.submit(request).result(60)
    after = _state(run)
    assert (after["step"], after["base"]) == (4, state["base"])
    assert model.base_metrics == state["base"]
    assert find_card(run).tasks == (*TASKS, "tubulin")
    assert (run / "data.csv").read_bytes() == listed
    load_model(run)


@pytest.mark.parametrize("name", ["cells", "tubulin"])
def test_a_stopped_run_becomes_a_model(lay_out: LayOut, name: str) -> None:
    run = _laid_out(lay_out, name)
    with ModelService() as service:
        model = service.submit(FinishTrainingRequest(run)).result(60)
    assert (model.folder, model.installed, _state(run)["step"]) == (run, False, 2)
    load_model(run)
