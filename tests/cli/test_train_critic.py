"""``napari-ssp train critic``: from folders to a critic, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner
from label_folders import write_discs

from napari_ssp.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def test_a_critic_is_trained_from_folders(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "data", 5, size=48)
    made = tmp_path / "data" / ("labels" if (data / "labels").is_dir() else "masks")
    run = tmp_path / "run"
    words = ["--data", data, "--mistakes", made, "-o", run, "--json", tmp_path / "a.json"]
    words += ["--steps", 2, "--crop", 32, "--batch-size", 2, "--install", "never"]
    done = CliRunner().invoke(main, ["train", "critic", *map(str, words)])
    assert done.exit_code == 0, done.output
    assert "4 images to train a critic from scratch, 5 label images" in done.output
    assert json.loads((run / "card.json").read_text())["family"] == "critic"
    assert "spearman_object" in json.loads((tmp_path / "a.json").read_text())["metrics"]


def test_the_models_that_a_critic_reviews_are_on_its_card(tmp_path: Path) -> None:
    data, run, config = write_discs(tmp_path / "data", 4, size=48), tmp_path / "run", tmp_path / "c"
    words = ["--data", data, "-o", run, "--steps", 1, "--crop", 32, "--batch-size", 2]
    words += ["--install", "never"]
    given = ["--reviews", "mito", "--reviews", "mediar-starter"]
    done = CliRunner().invoke(main, ["train", "critic", *map(str, words), *given])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "Not installed here: mito. The critic is for results of" in said
    assert json.loads((run / "card.json").read_text())["reviews"] == ["mito", "mediar-starter"]
    assert json.loads((run / "request.json").read_text())["reviews"] == ["mito", "mediar-starter"]
    config.write_text(json.dumps({"task": "critic", "reviews": ["generalist-starter"]}))
    words[3] = tmp_path / "other"
    done = CliRunner().invoke(main, ["train", "critic", *map(str, words), "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert json.loads((words[3] / "card.json").read_text())["reviews"] == ["generalist-starter"]
    refused = CliRunner().invoke(main, ["train", "critic", *map(str, words), "--reviews", "a/b"])
    assert refused.exit_code == 2
    assert "cannot be the name of a model" in refused.output


def test_a_critic_without_images_is_bad_use(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["train", "critic", "-o", str(tmp_path)])
    assert done.exit_code == 2
    assert "--data" in done.output
