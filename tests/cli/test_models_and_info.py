from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


def test_the_starter_is_listed(call: Call) -> None:
    result = call("models", "list", "--json", "-")
    names = [card["name"] for card in json.loads(result.stdout)["models"]]
    assert names[0] == "mediar-starter"
    shown = call("models", "list").stdout
    assert "mediar-starter · cells · mediar · installed · 10.9 MB" in shown
    assert "repmode-starter · 4 structures · repmode · installed" in shown


def test_a_card_is_shown(call: Call, tiny_model: Path) -> None:
    card = json.loads(call("models", "info", tiny_model, "--json", "-").stdout)
    assert card["window"] == [64, 64]
    assert "tu-resnet18d" in call("models", "info", tiny_model).stdout


def test_an_unknown_model_is_bad_use(call: Call) -> None:
    result = call("models", "info", "mediar-startr")
    assert result.exit_code == 2
    assert "mediar-starter" in result.stderr


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_models_that_can_be_downloaded_are_listed(call: Call, cache: Path) -> None:
    listed = json.loads(call("models", "list", "mediar", "winner", "--json", "-").stdout)
    assert [card["name"] for card in listed["models"]] == ["mediar-ensemble"]
    assert not listed["models"][0]["installed"]
    installed = json.loads(call("models", "list", "--installed", "--json", "-").stdout)["models"]
    assert {card["installed"] for card in installed} == {True}
    shown = call("models", "info", "mediar-phase1").stdout
    for words in ("can be downloaded", "MIT", "121.3 million", "from_phase1.pth"):
        assert words in shown


def test_a_model_goes_out_and_comes_in(
    call: Call, cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    package = tmp_path / "tiny.zip"
    assert call("models", "export", tiny_model, "-o", package).exit_code == 0
    assert call("models", "export", tiny_model, "-o", package).exit_code == 1
    assert call("models", "export", tiny_model, "-o", package, "--overwrite").exit_code == 0
    result = call("models", "import", package, "--name", "mine", "--json", "-")
    assert json.loads(result.stdout)["name"] == "mine"
    again = call("models", "import", package, "--name", "mine")
    assert again.exit_code == 1
    assert "There is a model 'mine' already" in again.stderr
    assert call("models", "import", package, "--name", "mine", "--overwrite").exit_code == 0
    report = json.loads(call("models", "verify", "mine", "--json", "-").stdout)["models"]
    assert [(found["name"], found["state"]) for found in report] == [("mine", "ok")]
    assert call("models", "remove", "mine").exit_code == 1  # nobody said yes
    assert (cache / "models" / "mine").is_dir()
    assert call("models", "remove", "mine", "--yes").exit_code == 0
    assert not (cache / "models" / "mine").exists()


def test_a_package_for_other_programs(call: Call, tiny_structures: Path, tmp_path: Path) -> None:
    words = ("models", "export", tiny_structures, "-o", tmp_path / "m.zip")
    assert call(*words, "--task", "dna").exit_code == 2
    assert "choose one" in call(*words, "--format", "bioimageio").stderr
    assert call(*words, "--format", "bioimageio", "--task", "dna").exit_code == 0
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        assert {"rdf.yaml", "weights.pt", "test_input.npy"} <= set(archive.namelist())


def test_an_original_checkpoint_is_imported(call: Call, cache: Path, repmode_file: Path) -> None:
    result = call("models", "import", repmode_file, "--json", "-")
    card = json.loads(result.stdout)
    assert (card["name"], len(card["tasks"])) == ("repmode_tiny", 12)
    assert "Mitochondria" in call("models", "info", "repmode_tiny").stdout


def test_what_cannot_be_imported_is_a_failed_job(call: Call, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"a page instead of a file")
    result = call("models", "import", tmp_path / "x.pth")
    assert result.exit_code == 1
    assert "no model that is known here" in result.stderr
    assert call("models", "import", tmp_path / "nothing.pth").exit_code == 2


def test_damaged_weights_are_found(call: Call, cache: Path, tiny_model: Path) -> None:
    assert call("models", "import", tiny_model).exit_code == 0
    weights = cache / "models" / "tiny" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    result = call("models", "verify")
    assert result.exit_code == 1
    assert "tiny is damaged" in result.stderr
    assert "mediar-starter: ok" in result.stderr


def test_refusals(call: Call, cache: Path) -> None:
    for words in (
        ("download", "mediar-phase3"),
        ("download", "mediar-phase1", "mediar-phase2", "--mirror", "http://127.0.0.1:9/x"),
        ("remove", "mediar-starter", "--yes"),
        ("verify", "nothing"),
        ("export", "nothing", "-o", "x.zip"),
        ("catalogues", "remove", "nothing"),
    ):
        assert call("models", *words).exit_code == 2, words
    assert call("models", "catalogues", "add", "nothing").exit_code == 1


def test_a_labs_catalogue(call: Call, cache: Path, tiny_model: Path, tmp_path: Path) -> None:
    import hashlib
    import shutil

    lab = tmp_path / "lab"
    lab.mkdir()
    call("models", "export", tiny_model, "-o", lab / "m.zip")
    digest = hashlib.sha256((lab / "m.zip").read_bytes()).hexdigest()
    remote = {"name": "m.zip", "urls": ["m.zip"], "sha256": digest}
    entry = {"name": "ours", "family": "mediar", "network": {}, "sha256": "", "remote": remote}
    (lab / "catalogue.json").write_text(json.dumps({"models": [entry]}))
    assert "offers: ours" in call("models", "catalogues", "add", lab).stderr
    assert call("models", "catalogues", "list").stdout.strip() == str(lab)
    assert call("models", "download", "ours").exit_code == 0
    shutil.rmtree(lab)
    assert json.loads(call("models", "info", "ours", "--json", "-").stdout)["installed"]
    assert call("models", "catalogues", "remove", lab).exit_code == 0


def test_info_names_versions_devices_and_cache(call: Call) -> None:
    report = json.loads(call("info", "--json", "-").stdout)
    assert {"python", "torch", "napari-ssp"} <= set(report["versions"])
    assert report["devices"][-1]["name"] == "cpu"
    assert report["cache"]
    assert "device cpu" in call("info").stdout


def test_options_may_stand_in_the_environment(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_SEGMENT_MIN_SIZE", "-3")
    result = call("segment", tmp_path, "-o", tmp_path / "labels")
    assert result.exit_code == 2
    assert "'--min-size'" in result.stderr and "-3" in result.stderr
