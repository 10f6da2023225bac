"""Commands begin with what napari's Preferences say; options and the environment come before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pytest
from napari.settings._plugin_config_generator import plugin_configuration_generator

from napari_ssp.cli import main
from napari_ssp.cli.preferred import preferred_defaults
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image
from napari_ssp.preferences import Preferences
from napari_ssp.service import devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


@pytest.fixture
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings of the plugin as napari's dialog changes them; each change is stored at once."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "settings.yaml"))
    file = tmp_path / "napari-ssp.yaml"
    return plugin_configuration_generator()["napari-ssp"](config_path=file)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    write_image(tmp_path / "a.ome.tif", MicroscopyImage(np.zeros((64, 64), np.uint8), "yx"))
    return tmp_path / "a.ome.tif"


def _info(call: Call, *options: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(call(*options, "info", "--json", "-").stdout)
    return report


def test_a_run_follows_the_preferences_and_options_win(
    call: Call, preferences: Any, image: Path, tiny_model: Path, tmp_path: Path
) -> None:
    words = ("segment", image, "--json", "-", "--device", "cpu")
    there = {device["name"].partition(":")[0] for device in devices()}
    absent = next(name for name in ("cuda", "mps") if name not in there)
    preferences.models.objects, preferences.compute.device = str(tiny_model), absent
    preferences.compute.precision = "bfloat16"
    followed = call(*words, "-o", tmp_path / "followed")
    said = f"From napari's Preferences: --model {tiny_model}, --precision bfloat16."
    assert said in followed.stderr.splitlines()
    made = json.loads(followed.stdout)["images"][0]["provenance"]
    assert made["model"]["name"] == "tiny"
    assert made["request"]["precision"] == "bfloat16"
    given = ("--precision", "float32", "--model", tiny_model)
    other = call(*words, "-o", tmp_path / "other", *given)
    assert "Preferences" not in other.stderr
    assert json.loads(other.stdout)["images"][0]["provenance"]["request"]["precision"] == "float32"
    refused = call(*words[:-2], "-o", tmp_path / "no")
    assert f"The device '{absent}' is not available" in refused.stderr


def test_info_says_where_values_come_from(
    call: Call, preferences: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NAPARI_SSP_CACHE")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = _info(call)
    assert before["options"]["segment"] == {
        "--model": {"value": "mediar-starter", "source": "default"},
        "--compute": {"value": "local", "source": "default"},
        "--device": {"value": "auto", "source": "default"},
        "--precision": {"value": "auto", "source": "default"},
    }
    assert before["models_folder"]["source"] == before["threads"]["source"] == "default"
    assert before["other_models_folders"] == []
    preferences.compute.device, preferences.compute.threads = "cuda", 3
    preferences.compute.where = "processes:2"
    preferences.models.images, preferences.models.folder = "mine", str(tmp_path / "models")
    monkeypatch.setenv("NAPARI_SSP_REVIEW_DEVICE", "cpu")
    after = _info(call)
    device = {"value": "cuda", "source": "Preferences"}
    assert after["options"]["segment"]["--device"] == device
    assert after["options"]["compartments"]["--compute"]["value"] == "processes:2"
    assert after["options"]["predict"]["--model"] == {"value": "mine", "source": "Preferences"}
    assert after["options"]["review"]["--device"]["source"] == "NAPARI_SSP_REVIEW_DEVICE"
    folder = {"value": str(tmp_path / "models"), "source": "Preferences"}
    assert after["models_folder"] == folder
    assert after["other_models_folders"] == [before["models_folder"]["value"]]
    assert after["threads"] == {"value": 3, "source": "Preferences"}
    assert after["preferences"] == str(tmp_path / "napari-ssp.yaml")
    assert "cuda (Preferences)" in " ".join(call("info").stdout.split())


def test_the_number_of_threads_has_one_order(
    call: Call, preferences: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences.compute.threads = 3
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert _info(call)["threads"] == {"value": 5, "source": "OMP_NUM_THREADS"}
    monkeypatch.setenv("NAPARI_SSP_THREADS", "6")
    assert _info(call)["threads"] == {"value": 6, "source": "NAPARI_SSP_THREADS"}
    assert _info(call, "--threads", "7")["threads"] == {"value": 7, "source": "--threads"}
    assert call("--threads", "-1", "info").exit_code == 2


def _commands(group: click.Group, above: click.Context) -> Iterator[click.Context]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=above)
        yield context
        if isinstance(command, click.Group):
            yield from _commands(command, context)


def test_every_command_with_a_device_takes_the_preferred_one() -> None:
    defaults = preferred_defaults(Preferences(device="cuda"))
    top = click.Context(main, info_name="napari-ssp", default_map=defaults)
    taken = {
        context.info_name: context.lookup_default("device")
        for context in _commands(main, top)
        if any(option.name == "device" for option in context.command.params)
    }
    assert {"segment", "expansion"} <= set(taken)
    assert set(taken.values()) == {"cuda"}


def test_a_configuration_of_a_training_comes_before_the_environment(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("images", "labels"):
        (tmp_path / "data" / part).mkdir(parents=True)
    words = ("train", "segmentation", "--data", tmp_path / "data", "-o", tmp_path / "run")
    monkeypatch.setenv("NAPARI_SSP_TRAIN_SEGMENTATION_BASE", "of-environment")
    assert "no model 'of-environment'" in call(*words).stderr
    (tmp_path / "choices.json").write_text('{"base": "of-file"}')
    words = (*words, "--config", tmp_path / "choices.json")
    assert "no model 'of-file'" in call(*words).stderr
    assert "no model 'of-option'" in call(*words, "--base", "of-option").stderr
