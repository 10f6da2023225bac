"""``napari-ssp review``: files, folders, the truth, a calibration, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from skimage import data

import napari_ssp as ssp
from napari_ssp.flows import labels_to_flows
from napari_ssp.io import read_image, write_image, write_labels
from napari_ssp.io.objects.notes import write_provenance
from napari_ssp.metrics import error_maps, object_errors, panoptic_quality, reliability_table
from napari_ssp.registry import ModelCard, cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


def _labels(shift: int = 0) -> np.ndarray[Any, Any]:
    """A row of ten squares of growing size; shifted, the larger ones still overlap themselves."""
    labels = np.zeros((40, 130), np.uint16)
    for n in range(10):
        side = 3 + n
        labels[5 : 5 + side, 13 * n + shift : 13 * n + shift + side] = n + 1
    return labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, their labels and their truth."""
    for name in ("images", "labels", "truth"):
        (tmp_path / name).mkdir()
    for k, name in enumerate("ab"):
        iio.imwrite(tmp_path / "images" / f"{name}.png", data.coins()[k * 40 :][:40, :130])
        write_labels(tmp_path / "labels" / f"{name}_label.tif", _labels(2))
        write_labels(tmp_path / "truth" / f"{name}_masks.tif", _labels())
    return tmp_path


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_reviewed(call: Call, folder: Path, tiny_critic: Path) -> None:
    out = folder / "out"
    words = ("--labels", folder / "labels", "--model", tiny_critic, "-o", out)
    result = call("review", folder / "images", *words, "--json", folder / "report.json")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "a_errors.ome.tif",
        "a_review.csv",
        "b_errors.ome.tif",
        "b_review.csv",
        "review.json",
    ]
    direct = ssp.review(data.coins()[40:80, :130], _labels(2), str(tiny_critic))
    found = read_image(out / "b_errors.ome.tif")
    assert (found.axes, found.dtype) == ("yx", np.float32)
    np.testing.assert_array_equal(found.data, direct.error_map)
    rows = _rows(out / "b_review.csv")
    assert [int(row["label"]) for row in rows] == direct.table["label"].tolist()
    errors = [float(row["predicted_error"]) for row in rows]
    assert errors == direct.table["predicted_error"].tolist() == sorted(errors, reverse=True)
    report = json.loads((out / "review.json").read_text(encoding="utf-8"))
    assert report == json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["images"][1]["image_error"] == direct.image_error
    assert "truth" not in report
    assert f"predicted error {direct.image_error:.2f}" in result.output


def test_flows_beside_the_labels_are_used(call: Call, folder: Path, comparing_critic: Path) -> None:
    sure = np.where(_labels(2) == 7, 0.2, 0.9)
    outputs = np.stack([*labels_to_flows(_labels(2)), sure]).astype(np.float32)
    flows = ssp.MicroscopyImage(outputs, "cyx")
    for k, place in enumerate(("labels", "flows")):
        (folder / place).mkdir(exist_ok=True)
        write_image(folder / place / f"{'ab'[k]}_flows.tiff", flows)
    model = ("--labels", folder / "labels", "--model", comparing_critic)
    images = folder / "images"
    worst = []
    for options in ((images,), (images / "b.png", "--flows", folder / "flows")):
        done = call("review", *options, *model, "-o", folder / "out", "--overwrite")
        assert done.exit_code == 0, done.output
        rows = (_rows(folder / "out" / f"{name}_review.csv")[0]["label"] for name in "ab")
        worst.append([label == "7" for label in rows])
    assert worst == [[True, False], [True, True]]
    refused = call("review", images / "a.png", "--flows", folder / "flows", *model, "-o", folder)
    assert refused.exit_code == 2
    assert "holds no flows of a_label.tif" in refused.output


def test_the_truth_says_how_good_the_critic_is(call: Call, folder: Path, tiny_critic: Path) -> None:
    out = folder / "out"
    words = ("--labels", folder / "labels", "--truth", folder / "truth", "--model", tiny_critic)
    result = call("review", folder / "images", *words, "-o", out)
    assert result.exit_code == 0, result.output
    ids, errors = object_errors(_labels(), _labels(2))
    true = dict(zip(ids.tolist(), errors.tolist(), strict=True))
    rows = _rows(out / "a_review.csv")
    assert [float(row["true_error"]) for row in rows] == [true[int(row["label"])] for row in rows]
    report = json.loads((out / "review.json").read_text(encoding="utf-8"))
    tables = []
    for name in "ab":
        probability = read_image(out / f"{name}_errors.ome.tif").data
        wrong = error_maps(_labels(), _labels(2)).any(axis=0)
        tables.append(reliability_table(np.asarray(probability), wrong))
    pixels = report["truth"]["pixels"]
    together = tables[0] + tables[1]
    assert pixels["expected_calibration_error"] == together.expected_calibration_error
    assert pixels["maximum_calibration_error"] == together.maximum_calibration_error
    objects = report["truth"]["objects"]
    assert (objects["count"], objects["wrong"]) == (20, 2 * int((errors > 0.5).sum()))
    # The critic takes small objects for the worst, and the shift is worst for them.
    assert objects["spearman"] == pytest.approx(1.0)
    assert objects["auroc"] == 1.0
    images = report["images"][0]["truth"]["images"]
    quality = panoptic_quality(_labels(), _labels(2)).quality
    gap = abs(report["images"][0]["image_error"] - (1 - quality))
    assert images["mean_absolute_difference"] == pytest.approx(gap)
    assert iio.imread(out / "reliability.png").shape[1] == 960


def test_a_calibration_is_made_and_used(call: Call, folder: Path, tiny_critic: Path) -> None:
    words = ("--labels", folder / "labels", "--model", tiny_critic)
    made = folder / "mine.json"
    first = call(
        "review",
        folder / "images",
        *words,
        "--truth",
        folder / "truth",
        "-o",
        folder / "one",
        "--calibrate",
        made,
    )
    assert first.exit_code == 0, first.output
    assert f"20 objects, 6 of them wrong -> {made}" in first.output
    image, labels = folder / "images" / "a.png", folder / "labels" / "a_label.tif"
    words = ("--labels", labels, "--model", tiny_critic, "--calibration", made)
    second = call("review", image, *words, "-o", folder / "two")
    assert second.exit_code == 0, second.output
    rows = _rows(folder / "two" / "a_review.csv")
    accepted = [int(row["label"]) for row in rows if row["accepted"] == "1"]
    assert sorted(accepted) == [4, 5, 6, 7, 8, 9, 10]  # of which none is wrong
    assert "7 accepted" in second.output


def test_masks_are_numbered_where_that_is_asked_for(
    call: Call, folder: Path, tiny_critic: Path
) -> None:
    mask = folder / "mask.tif"
    tifffile.imwrite(mask, (_labels() > 0).astype(np.uint8) * 255)
    words = ("review", folder / "images" / "a.png", "--labels", mask, "--model", tiny_critic)
    one = call(*words, "-o", folder / "one")
    assert one.exit_code == 0, one.output
    assert "one number for 10 separate parts" in one.output
    many = call(*words, "-o", folder / "two", "--number-parts")
    assert many.exit_code == 0, many.output
    assert len(_rows(folder / "two" / "a_review.csv")) == 10


def test_bad_use_is_refused_before_work(call: Call, folder: Path, tiny_critic: Path) -> None:
    (folder / "labels" / "b_label.tif").unlink()
    words = ("review", folder / "images", "--model", tiny_critic, "-o", folder / "out")
    cases = {
        "1 of 2 images have no labels": ("--labels", folder / "labels"),
        "--calibrate needs the truth": (
            "--labels",
            folder / "labels",
            "--calibrate",
            folder / "c.json",
        ),
        "is no calibration, so it was left": (
            "--labels",
            folder / "truth",
            "--truth",
            folder / "truth",
            "--calibrate",
            folder / "images" / "a.png",
        ),
    }
    for message, more in cases.items():
        result = call(*words, *more)
        assert result.exit_code == 2, result.output
        assert message in " ".join(result.output.split())
    assert not (folder / "out").exists()


def test_one_image_that_fails_does_not_stop_the_others(
    call: Call, folder: Path, tiny_critic: Path
) -> None:
    write_labels(folder / "labels" / "a_label.tif", _labels()[:, :100], overwrite=True)
    words = ("--labels", folder / "labels", "--model", tiny_critic, "-o", folder / "out")
    result = call("review", folder / "images", *words)
    assert result.exit_code == 1
    assert "Give the image that the labels are of" in result.output
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "b_errors.ome.tif",
        "b_review.csv",
        "review.json",
    ]


def test_the_critic_that_knows_the_model_is_taken(
    call: Call, folder: Path, tiny_critic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(folder / "user"))
    installed = cache_folder() / "models" / "mito-critic"
    shutil.copytree(tiny_critic, installed)
    replace(ModelCard.read(installed), name="mito-critic", reviews=("mito",)).write(installed)
    write_provenance(folder / "labels" / "a_label.tif", {"model": {"name": "mito"}})
    words = ("--labels", folder / "labels", "-o", folder / "out", "--overwrite")
    for more, wanted in (
        ((), ["mito-critic", "critic-starter"]),
        (("--number-parts",), ["mito-critic", "critic-starter"]),
        (("--made-by", "mito"), ["mito-critic", "mito-critic"]),
        (("--model", "critic-starter"), ["critic-starter", "critic-starter"]),
    ):
        done = call("review", folder / "images", *words, *more)
        assert done.exit_code == 0, done.output
        rows = json.loads((folder / "out" / "review.json").read_text())["images"]
        assert [row["provenance"]["model"]["name"] for row in rows] == wanted
        said = " ".join(done.output.split())
        count = said.count("reviewed by mito-critic, which knows results of mito.")
        assert count == wanted.count("mito-critic")


def test_python_and_the_command_compare_the_same_flows(
    call: Call, folder: Path, comparing_critic: Path
) -> None:
    labels, image = folder / "labels" / "a_label.tif", folder / "images" / "a.png"
    beside = folder / "labels" / "a_flows.tiff"
    sure = np.where(_labels(2) == 7, 0.2, 0.9)
    outputs = np.stack([*labels_to_flows(_labels(2)), sure]).astype(np.float32)

    def worst(**choices: Any) -> int:
        table = ssp.review(image, labels, str(comparing_critic), **choices).table
        return int(table["label"][0])

    # What cellpose saves under this name is a picture of flows.
    tifffile.imwrite(beside, np.zeros((40, 130, 3), np.uint8), photometric="rgb")
    assert worst() != 7
    write_image(beside, ssp.MicroscopyImage(outputs, "cyx"), overwrite=True)
    assert worst() == worst(flows=beside) == 7
    words = ("--labels", labels, "--model", comparing_critic, "-o", folder / "out")
    assert call("review", image, *words).exit_code == 0
    assert _rows(folder / "out" / "a_review.csv")[0]["label"] == "7"
    assert ssp.review(image, read_image(labels), str(comparing_critic)).table["label"][0] != 7


def test_labels_and_flows_beside_their_images_are_no_images(
    call: Call, folder: Path, tiny_critic: Path
) -> None:
    images = folder / "images"
    for name in "ab":
        shutil.copy(folder / "labels" / f"{name}_label.tif", images)
        write_image(
            images / f"{name}_flows.tiff", ssp.MicroscopyImage(np.zeros((3, 40, 130), "f4"), "cyx")
        )
    done = call("review", images, "--labels", images, "--model", tiny_critic, "-o", folder / "out")
    assert done.exit_code == 0, done.output
    made = sorted(path.name for path in (folder / "out").glob("*.tif"))
    assert made == ["a_errors.ome.tif", "b_errors.ome.tif"]


def test_a_maker_that_nobody_knows_is_said(call: Call, folder: Path) -> None:
    words = ("--labels", folder / "labels" / "a_label.tif", "-o", folder / "out", "--overwrite")
    for name, said in (
        ("mediar-startr", "There is no model 'mediar-startr'. Did you mean mediar-starter"),
        ("mediar-starter", ""),
    ):
        done = call("review", folder / "images" / "a.png", *words, "--made-by", name)
        assert done.exit_code == 0, done.output
        assert (said or "There is no model") in done.stderr or not said
        assert ("so critic-starter is taken" in " ".join(done.stderr.split())) == bool(said)
