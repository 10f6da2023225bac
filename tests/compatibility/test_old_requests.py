"""Requests as version 0.1.0 left them: on layers, in reports, in the folders of runs."""

from __future__ import annotations

import json
import shlex
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from readers import flatten, read_recipe, read_request, recipe_names, restore, write_request
from stated import (
    CONFIGURATION,
    IMAGE,
    PREDICT,
    REFINED,
    SEGMENT,
    STACK,
    TASKS,
    TRAIN,
    TRAIN_DATA,
    TRAIN_STRUCTURES,
    TRAIN_STRUCTURES_DATA,
)

from napari_ssp import MicroscopyImage, PredictRequest, SegmentRequest, TrainRequest
from napari_ssp.cli import main
from napari_ssp.service import TrainStructuresRequest, as_command, as_script, restore_request

if TYPE_CHECKING:
    from conftest import LayOut

LAYER = MicroscopyImage(np.zeros((3, 40, 50), np.uint8), "zyx", name="layer µ")
ARRAY = np.zeros((40, 50), np.float32)
#: As they were understood: the overlap was 0.6 for all models; today it is that of the model.
MADE: dict[str, Any] = {
    "segment-defaults": SegmentRequest(IMAGE, "tiny-cells", overlap=0.6),
    "segment-every-field": SegmentRequest(Path(IMAGE), **SEGMENT),
    "segment-layer": SegmentRequest(LAYER, "tiny-cells", overlap=0.6),
    "segment-array": SegmentRequest(ARRAY, "tiny-cells", overlap=0.6),
    "predict-defaults": PredictRequest(STACK, ("dna",), "tiny-structures"),
    "predict-every-field": PredictRequest(STACK, **PREDICT),
    "predict-layer": PredictRequest(LAYER, TASKS, "tiny-structures"),
}
TRAININGS: dict[str, Any] = {
    # The default of then, which is 0.002 today.
    "train-defaults": TrainRequest(**TRAIN_DATA, output=Path("run"), most_forgotten=0.005),
    "train-every-field": TrainRequest(**TRAIN, output=Path("run")),
    "structures-defaults": TrainStructuresRequest(**TRAIN_STRUCTURES_DATA, output=Path("run")),
    "structures-every-field": TrainStructuresRequest(**TRAIN_STRUCTURES, output=Path("run")),
}

#: Fields that came later, as they are in requests that know nothing of them.
LATER = {"scene": None, "missing": "refuse"}
LATER_BY_KIND = {
    "segment": LATER
    | {
        "fallback": True,
        "normalise": "auto",
        "nuclei": None,
        "through": None,
        "through_model": "repmode-starter",
    },
    "predict": LATER | {"spread": False},
}


def _with_overlap(kept: dict[str, Any]) -> tuple[str, str]:
    """Command and script that say the overlap, which was the default when they were written."""
    command = kept["command"].replace(" --model ", " --overlap 0.6 --model ", 1)
    return command, kept["script"].replace(", model=", ", overlap=0.6, model=")


def _values(request: Any) -> dict[str, Any]:
    """Fields by name, the image apart."""
    return {f.name: getattr(request, f.name) for f in fields(request) if f.name != "image"}


@pytest.mark.parametrize("name", [name for name in {**MADE, **TRAININGS} if "every-field" in name])
def test_every_field_differs_from_its_default(name: str) -> None:
    request = {**MADE, **TRAININGS}[name]
    later = LATER_BY_KIND.get(name.split("-")[0], {})
    for item in (item for item in fields(request) if item.name not in later):
        made = item.default_factory() if item.default_factory is not MISSING else item.default
        assert made is MISSING or getattr(request, item.name) != made, item.name


@pytest.mark.parametrize("name", MADE)
def test_provenance_is_read_and_written_as_before(lay_out: LayOut, name: str) -> None:
    kept = json.loads((lay_out("requests", "cache/models") / f"requests/{name}.json").read_text())
    record, made = kept["provenance"], MADE[name]
    later = LATER_BY_KIND[name.split("-")[0]]
    assert json.loads(json.dumps(made.provenance())) == {**record["request"], **later}
    assert [k for k in made.provenance() if k not in later] == list(record["request"])
    is_file = isinstance(record["request"]["image"], str)
    image = None if is_file else made.image
    request = restore_request(record, image)
    assert type(request) is type(made)
    assert _values(request) == _values(replace(made, device=record["device"]))
    assert str(request.image) == str(made.image) if is_file else request.image is made.image
    file = None if is_file else IMAGE
    command, script = (
        _with_overlap(kept) if made.overlap == 0.6 else (kept["command"], kept["script"])
    )
    assert as_command(record, file, "out") == command
    assert as_script(record, file) == script


def test_a_result_of_other_thresholds_is_made_again_with_them(lay_out: LayOut) -> None:
    kept = json.loads(
        (lay_out("requests", "cache/models") / "requests/segment-refined.json").read_text()
    )
    record = kept["provenance"]
    run_with = {"cell_threshold": 0.5, "flow_threshold": 0.4, "min_size": 16, "hole_size": 16}
    assert record["refined"].pop("finished")
    assert record["refined"] == {**REFINED, "run_with": run_with}
    request = restore_request(record)
    part = SegmentRequest(IMAGE, "tiny-cells", region=(0, 24, 8, 40), device="cpu", overlap=0.6)
    assert _values(request) == _values(replace(part, **REFINED))
    command, script = _with_overlap(kept)
    assert as_command(record, None, "out") == command
    assert as_script(record) == script


def test_the_models_of_defaults_are_the_shipped_ones() -> None:
    assert SegmentRequest(IMAGE).model == "mediar-starter"
    assert PredictRequest(STACK).model == "repmode-starter"


@pytest.mark.parametrize("name", MADE)
def test_the_command_line_takes_the_kept_command(lay_out: LayOut, name: str) -> None:
    root = lay_out("requests", "images", "cache/models")
    words = shlex.split(json.loads((root / f"requests/{name}.json").read_text())["command"])
    command = main.get_command(None, words[1])  # type: ignore[arg-type]
    assert command is not None
    chosen = command.make_context(words[1], words[2:]).params
    for key, value in _values(MADE[name]).items():
        if key == "overlap" and value == 0.6:
            value = None  # that of the model, which for all of that time is 0.6
        assert chosen[key] == ("cpu" if key == "device" else value), key
    assert [str(path) for path in chosen["paths"]] == [words[2]]


@pytest.mark.parametrize("name", ["segment", "predict"])
def test_reports_of_commands_tell_how_to_repeat_them(lay_out: LayOut, name: str) -> None:
    root = lay_out("results", "images", "cache/models")
    (row,) = json.loads((root / f"results/{name}.json").read_text())["images"]
    words = shlex.split(as_command(row["provenance"], output="again"))[1:]
    done = CliRunner().invoke(main, [*words, "--json", "again.json"], catch_exceptions=False)
    assert done.exit_code == 0
    (again,) = json.loads(Path("again.json").read_text())["images"]
    assert set(again) == {*row, "seconds"}  # which are said since then
    assert again["provenance"]["request"] == {
        **row["provenance"]["request"],
        **LATER_BY_KIND[name],
    }
    assert again["provenance"]["model"] == row["provenance"]["model"]
    assert list(again["provenance"]) == list(row["provenance"])


@pytest.mark.parametrize("name", TRAININGS)
def test_requests_of_runs_are_read_and_written_as_before(lay_out: LayOut, name: str) -> None:
    folder = lay_out("requests") / "requests" / name
    kept = (folder / "request.json").read_text(encoding="utf-8")
    request = read_request(folder)
    # The run may have been moved; its folder is where it is found.
    assert request == replace(TRAININGS[name], output=folder)
    Path("run").mkdir()
    assert write_request(replace(request, output=Path("run"))).read_text(encoding="utf-8") == kept


def test_shipped_configurations_say_what_they_said(lay_out: LayOut) -> None:
    folder = lay_out("configurations") / "configurations"
    kept = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    del kept["own"]
    assert {name: read_recipe(name) for name in recipe_names()} == kept
    for values in kept.values():
        chosen = {name: value for name, value in values.items() if name != "task"}
        request = restore(TrainRequest, {**chosen, "data": ["data"], "output": "run"})
        assert {**flatten(request), "task": "segmentation"} == {
            **flatten(TrainRequest((Path("data"),), Path("run"))),
            **values,
        }


def test_the_command_line_takes_a_configuration(lay_out: LayOut) -> None:
    lay_out("configurations", "training/cells")
    words = "train segmentation --data training/cells -o run --config configurations/own.json"
    done = CliRunner().invoke(main, [*words.split(), "--seed", "8"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    request = json.loads(Path("run/request.json").read_text())
    assert {key: request[key] for key in CONFIGURATION} == {**CONFIGURATION, "seed": 8}


def test_the_request_of_a_run_is_a_configuration_too(lay_out: LayOut) -> None:
    folder = lay_out("requests") / "requests/train-every-field"
    values = read_recipe(str(folder / "request.json"))
    assert values.pop("task") == "segmentation"
    assert restore(TrainRequest, values) == TRAININGS["train-every-field"]
