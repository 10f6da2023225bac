"""``napari-ssp train teacher``, ``student`` and ``expansion``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from label_folders import write_discs

from napari_ssp.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["--size", "32", "--width", "12", "--depth", "1", "--heads", "3"]
QUICK = ["--steps", "2", "--batch-size", "4", "--install", "never", "--device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_discs(tmp_path_factory.mktemp("data"), 5, size=48)


def _train(*words: object) -> str:
    done = CliRunner().invoke(main, ["train", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_configuration_with_seeds_trains_once_with_each(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    values = {"task": "student", "seeds": [3, 4], "size": 32, "width": 12, "depth": 1, "heads": 3}
    config.write_text(json.dumps(values))
    folder, report = tmp_path / "runs", tmp_path / "report.json"
    said = _train(
        "student", "--data", data, "-o", folder, "--config", config, *QUICK, "--json", report
    )
    written = json.loads(report.read_text())
    assert set(written["scores"]) == {"3", "4"}
    ious = [row["iou"] for row in written["scores"].values()]
    assert written["summary"]["iou"]["mean"] == pytest.approx(sum(ious) / 2)
    assert f"iou: {sum(ious) / 2:.4f} ±" in said
    for seed in (3, 4):
        assert json.loads((folder / f"seed-{seed}" / "request.json").read_text())["seed"] == seed
    assert (folder / "seeds.csv").read_text().startswith("seed,iou,accuracy,ece,mce")


def test_all_three_follow_each_other(data: Path, tmp_path: Path) -> None:
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    _train("teacher", "--data", data, "-o", teacher, *SMALL, "--width", 4, "--depth", 2, *QUICK)
    _train(
        "student",
        "--data",
        data,
        "-o",
        student,
        "--config",
        "student-vit",
        "--seed",
        13,
        *SMALL,
        *QUICK,
    )
    assert json.loads((student / "request.json").read_text())["batch_size"] == 4
    report = tmp_path / "report.json"
    _train(
        "expansion", "--data", data, "-o", tmp_path / "expanded", "--base", student,
        "--teacher", teacher, "--unlabelled", data / "images", *QUICK, "--json", report,
    )  # fmt: skip
    written = json.loads(report.read_text())
    assert written["installed"] is False
    assert set(written["base_metrics"]) == {"iou", "accuracy", "ece", "mce"}


def test_choices_of_another_task_are_refused(data: Path, tmp_path: Path) -> None:
    words = ["train", "student", "--data", str(data), "-o", str(tmp_path / "x")]
    config = tmp_path / "other.json"
    config.write_text('{"task": "teacher"}')
    done = CliRunner().invoke(main, [*words, "--config", str(config)])
    assert done.exit_code == 2
    assert "choices of training teacher, not of student" in done.output.replace("\n", " ")
    done = CliRunner().invoke(main, [*words, "--config", "teacher-vit"])
    assert done.exit_code == 2
    assert "student-swin, student-unvaried, student-vit" in done.output.replace("\n", " ")
    done = CliRunner().invoke(main, ["train", "student", "-o", str(tmp_path / "x")])
    assert done.exit_code == 2
    assert "needs --data" in done.output
