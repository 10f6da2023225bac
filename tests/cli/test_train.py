from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_ssp import predict_structures
from napari_ssp.io import write_labels
from napari_ssp.registry import find_card

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

SMALL = ("--crop", 64, "--batch-size", 2, "--decoder-channels", "16,16,16,16", "--pab-channels", 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (tmp_path / "data" / part).mkdir(parents=True)
    y, x = np.mgrid[:80, :80]
    for k in range(3):
        labels = np.zeros((80, 80), np.int32)
        for identity, (cy, cx) in enumerate(rng.integers(10, 70, (4, 2)), 1):
            labels[(y - cy) ** 2 + (x - cx) ** 2 <= 64] = identity
        image = (labels > 0) * 150 + rng.integers(0, 40, labels.shape)
        iio.imwrite(tmp_path / "data" / "images" / f"im{k}.png", image.astype(np.uint8))
        write_labels(tmp_path / "data" / "labels" / f"im{k}_label.tiff", labels)
    return tmp_path / "data"


def test_training_makes_a_model_that_segments(call: Call, folder: Path, tmp_path: Path) -> None:
    run, report = tmp_path / "run", tmp_path / "report.json"
    words = ("train", "segmentation", "--data", folder, "--validation", folder, "-o", run)
    result = call(*words, "--name", "dots", "--steps", 4, *SMALL, "--json", report)
    assert result.exit_code == 0, result.output
    card = find_card(run)
    assert card.name == "dots"
    assert card.network["decoder_channels"] == [16, 16, 16, 16]
    assert set(json.loads(report.read_text())["metrics"]) == {"f1_0.50", "f1_0.75"}
    with (run / "metrics.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)][-1] == "4"
    image = folder / "images" / "im0.png"
    assert call("segment", image, "-o", tmp_path / "out", "--model", run).exit_code == 0


def test_a_continued_run_goes_on_where_it_stopped(call: Call, folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("train", "segmentation", "--data", folder, "-o", run, *SMALL)
    assert call(*words, "--steps", 2).exit_code == 0
    assert call(*words, "--steps", 3).exit_code == 0
    with (run / "metrics.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)][-2:] == ["2", "3"]


def test_a_folder_of_models_that_cannot_be_made_is_said_before_the_training(
    call: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "a file"))
    words = ("train", "segmentation", "--data", folder, "-o", tmp_path / "run", "--steps", 2)
    result = call(*words, *SMALL)
    assert result.exit_code == 1
    assert "No model can be stored in the folder" in result.stderr
    assert not (tmp_path / "run").exists()


def test_images_without_labels_are_listed(call: Call, folder: Path, tmp_path: Path) -> None:
    (folder / "labels" / "im1_label.tiff").unlink()
    result = call("train", "segmentation", "--data", folder, "-o", tmp_path / "run", *SMALL)
    assert result.exit_code == 1
    assert "no label file for im1.png" in result.stderr
    words = ("--exclude", "im1", "--steps", 1)
    result = call("train", "segmentation", "--data", folder, "-o", tmp_path / "run", *SMALL, *words)
    assert result.exit_code == 0, result.output


def test_unreadable_and_unfitting_pairs_are_listed_together(
    call: Call, folder: Path, tmp_path: Path
) -> None:
    (folder / "images" / "im0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    write_labels(folder / "labels" / "im2_label.tiff", np.ones((5, 5), int), overwrite=True)
    result = call("train", "segmentation", "--data", folder, "-o", tmp_path / "run", *SMALL)
    assert result.exit_code == 1
    assert "2 of 3 training pairs" in result.stderr
    assert "im0.png" in result.stderr
    assert "im2.png" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--crop", 50], "multiple of 32"),
        (["--decoder-channels", "a,b"], "a"),
        (["--encoder", "nothing"], "nothing"),
    ],
)
def test_bad_choices_are_refused(
    call: Call, folder: Path, tmp_path: Path, words: list[object], message: str
) -> None:
    result = call("train", "segmentation", "--data", folder, "-o", tmp_path / "run", *words)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_base_that_is_not_there_is_bad_use(call: Call, folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for kind in ("segmentation", "structures"):
        result = call("train", kind, "--data", folder, "-o", run, "--base", "mediar-startr")
        assert result.exit_code == 2, result.output
        assert "mediar-startr" in result.stderr
    assert not run.exists()


FEW = ("--base-channels", 1, "--crop", 32, 32, 32, "--batch-size", 2)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["signal,target,task,split,description"]
    for k, split in enumerate(("train", "train", "val")):
        signal = rng.integers(0, 200, (13, 40, 36)).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"s{k}.tif", signal, photometric="minisblack")
        tifffile.imwrite(tmp_path / f"dna{k}.tif", signal.max() - signal, photometric="minisblack")
        tifffile.imwrite(tmp_path / f"axons{k}.tif", signal.max(axis=0), photometric="minisblack")
        rows.append(f"s{k}.tif,dna{k}.tif,dna,{split},DNA in the nucleus")
        rows.append(f"s{k}.tif,axons{k}.tif,axons,{split},")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "pairs.csv"


def test_training_on_structures_makes_a_model_that_predicts(
    call: Call, pairs: Path, tmp_path: Path
) -> None:
    run, report = tmp_path / "run", tmp_path / "report.json"
    words = ("train", "structures", "--data", pairs, "--validation", pairs, "-o", run, *FEW)
    words += ("--recipe", "few-images", "--describe", "axons=Axons", "--name", "two")
    size = ("--voxel-size", 0.5, 0.3, 0.3)
    result = call(*words, *size, "--steps", 2, "--json", report)
    assert result.exit_code == 0, result.output
    card = find_card(run)
    assert (card.name, card.family, card.axes) == ("two", "repmode", "zyx")
    assert card.network == {"num_tasks": 2, "base_channels": 1}
    assert card.tasks == ("dna", "axons")
    assert card.task_descriptions == {"dna": "DNA in the nucleus", "axons": "Axons"}
    assert card.window == (16, 32, 32)
    assert card.voxel_size == (0.5, 0.3, 0.3)
    assert "For axons only the max projection" in card.description
    dna = [tifffile.imread(tmp_path / f"dna{k}.tif").astype(float) for k in (0, 1)]
    expected = np.mean([d.mean() for d in dna]), np.mean([d.std() for d in dna])
    assert card.target_statistics["dna"] == pytest.approx(expected)
    metrics = json.loads(report.read_text())["metrics"]
    assert {"mse", "pcc", "pcc dna", "mse axons"} <= set(metrics)
    assert call(*words, *size, "--steps", 3).exit_code == 0
    with (run / "metrics.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)][-2:] == ["2", "3"]
    found = predict_structures(
        tifffile.imread(tmp_path / "s2.tif"), ["axons"], model=str(run), axes="zyx"
    )
    assert found["axons"].shape == (13, 40, 36)


def test_a_new_structure_is_added_to_a_base(
    call: Call, pairs: Path, tmp_path: Path, tiny_structures: Path
) -> None:
    run, report = tmp_path / "run", tmp_path / "report.json"
    rows = pairs.read_text(encoding="utf-8").splitlines()
    one = pairs.with_name("one.csv")
    one.write_text("\n".join(rows[:1] + [r for r in rows[1:] if ",dna," not in r]), "utf-8")
    words = ("train", "structures", "--data", one, "-o", run, "--base", tiny_structures, *FEW)
    words += ("--steps", 2, "--like", "dna", "--no-own-expert", "--install", "never")
    result = call(*words, "--json", report)
    assert result.exit_code == 0, result.output
    assert find_card(run).tasks[:3] == ("dna", "lamin_b1", "nucleoli")
    assert len(find_card(run).tasks) == 4
    assert "not installed" in json.loads(report.read_text())["sentence"]


def test_a_run_of_other_structures_in_the_folder_is_refused(
    call: Call, pairs: Path, tmp_path: Path
) -> None:
    words = ("train", "structures", "--data", pairs, "-o", tmp_path / "run", *FEW)
    assert call(*words, "--steps", 1).exit_code == 0
    result = call(*words, "--task", "axons", "--task", "dna", "--steps", 2)
    assert result.exit_code == 1
    assert "Choose another folder" in result.stderr


def test_problems_of_all_sources_are_said_together(call: Call, pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("signal,target\na,b\n")
    words = ("--data", pairs, "--data", tmp_path / "empty", "--validation", tmp_path / "bad.csv")
    result = call("train", "structures", *words, "-o", tmp_path / "run", *FEW)
    assert result.exit_code == 1
    assert "has no 'signal'" in result.stderr
    assert "lacks the columns task" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--crop", 16, 50, 32], "multiples of 16"),
        (["--recipe", "magic"], "repmode, few-images"),
        (["--describe", "dna"], "TASK=TEXT"),
        (["--task", "dna", "--task", "dna"], "named once"),
    ],
)
def test_bad_choices_for_structures_are_refused(
    call: Call, pairs: Path, tmp_path: Path, words: list[object], message: str
) -> None:
    result = call("train", "structures", "--data", pairs, "-o", tmp_path / "run", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_place_to_train_at_is_looked_at_first(call: Call, folder: Path, tmp_path: Path) -> None:
    words = ("train", "segmentation", "--data", folder, "-o", tmp_path / "run", "--steps", 1)
    result = call(*words, "--compute", "nowhere")
    assert (result.exit_code, "'nowhere' is no place to compute at" in result.stderr) == (2, True)
    result = call(*words, "--compute", "processes", "--processes", 2)
    assert (result.exit_code, "give only one of them" in result.stderr) == (2, True)
    assert not (tmp_path / "run").exists()
