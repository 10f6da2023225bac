"""What napari's dialog stores is read without napari."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from napari.settings._plugin_config_generator import plugin_configuration_generator
from napari.utils._base import _DEFAULT_CONFIG_PATH

from napari_ssp.preferences import GROUPS, Preferences, preferences_file, read_preferences


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "settings.yaml"))
    return tmp_path / "napari-ssp.yaml"


@pytest.fixture
def napari(file: Path) -> Any:
    """Settings of the plugin as napari's dialog changes them; each change is stored at once."""
    return plugin_configuration_generator()["napari-ssp"](config_path=file)


def test_what_napari_stores_is_read(napari: Any) -> None:
    assert read_preferences() == Preferences()
    napari.compute.device, napari.compute.threads = "cuda", 3
    napari.models.folder, napari.models.objects = "/labor/Müller models", "mine"
    wanted = Preferences(device="cuda", threads=3, folder="/labor/Müller models", objects="mine")
    assert read_preferences() == wanted
    assert wanted.chosen() == {
        **{"device": "cuda", "threads": 3},
        **{"folder": "/labor/Müller models", "objects": "mine"},
    }
    napari.compute.device = "auto"
    assert read_preferences().device == "auto"


def test_names_and_defaults_are_those_of_the_manifest(napari: Any) -> None:
    for group, names in GROUPS.items():
        declared = getattr(napari, group).model_dump()
        assert declared == {name: getattr(Preferences, name) for name in names}


@pytest.mark.parametrize(
    ("name", "values"),
    [("device", ["auto", "cpu", "cuda", "mps"]), ("precision", ["auto", "float32", "bfloat16"])],
)
def test_every_choice_of_the_dialog_is_taken(napari: Any, name: str, values: list[str]) -> None:
    extra = type(napari.compute).model_fields[name].json_schema_extra
    assert extra["enum"] == values
    for value in values:
        setattr(napari.compute, name, value)
        assert getattr(read_preferences(), name) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "compute: [1, 2]\nmodels: nothing",
        "compute: {device: toaster, threads: many, precision: 16}",
        "compute: {threads: -2}",
        "compute: {threads: true}",
        "compute: {device: [cpu]",
        "compute: !!python/object/apply:os.system ['touch ran']",
        "a: &a [x, x]\nb: [*a, *a, *a]",
        "[" * 5000,
        b"\xff\xfe\x00compute",
    ],
)
def test_a_damaged_file_is_as_none(
    file: Path, text: str | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    assert read_preferences() == Preferences()
    assert not Path("ran").exists()


def test_a_wrong_value_leaves_the_others(file: Path) -> None:
    file.write_text("compute: {device: toaster, precision: float32}\nlater: {x: 1}\n")
    assert read_preferences() == Preferences(precision="float32")


def test_it_lies_where_napari_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAPARI_CONFIG")
    assert preferences_file() == Path(_DEFAULT_CONFIG_PATH).with_name("napari-ssp.yaml")
    monkeypatch.setenv("NAPARI_CONFIG", "")  # napari stores nothing then
    assert preferences_file() is None
    assert read_preferences() == Preferences()


def test_reading_loads_neither_napari_nor_qt(file: Path) -> None:
    file.write_text("compute: {threads: 2}\n")
    code = (
        "import sys; from napari_ssp.preferences import read_preferences as read;"
        "print(read().threads, {'napari', 'qtpy', 'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "set()"]
