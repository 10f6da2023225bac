"""Label images of other programs in commands: floats, masks, pixels that nobody annotated."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import roifile
import tifffile
import zarr
from PIL import Image

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

LABELS = np.zeros((40, 50), np.uint16)
LABELS[2:8, 3:9], LABELS[12:20, 4:30], LABELS[25:35, 20:40] = 1, 2, 3


@pytest.fixture
def save(tmp_path: Path) -> Callable[[str, np.ndarray], Path]:
    def write(name: str, pixels: np.ndarray) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / name, pixels)
        return tmp_path / name

    return write


def measure(call: Call, path: Path, *words: str) -> tuple[list[tuple[str, float]], str]:
    """Labels and areas, and what was said."""
    table = path.with_suffix(".csv")
    result = call("measure", path, "-o", table, "--overwrite", *words)
    assert result.exit_code == 0, result.output
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(row["label"], float(row["area_px2"])) for row in rows], result.stderr


AREAS = [("1", 36.0), ("2", 208.0), ("3", 200.0)]


def test_whole_floats_are_measured_and_exported(call: Call, save: Callable, tmp_path: Path) -> None:
    path = save("anything.tif", LABELS.astype(np.float32))  # asked for as labels, so no name tells
    assert measure(call, path) == (AREAS, f"{path}: 3 objects -> {path.with_suffix('.csv')}\n")
    for kind, out in (("imagej", "a.zip"), ("ome-tiff", "b.tif"), ("ome-zarr", "c.zarr")):
        assert call("export", path, "--to", kind, "-o", tmp_path / out).exit_code == 0
    assert [roi.name for roi in roifile.roiread(tmp_path / "a.zip")] == ["1", "2", "3"]
    for out in ("b.tif", "c.zarr"):
        np.testing.assert_array_equal(read_image(tmp_path / out).data, LABELS)


def test_a_probability_map_is_no_label_image(call: Call, save: Callable, tmp_path: Path) -> None:
    path = save("a_label.tif", LABELS.astype(np.float32) / 3)
    result = call("measure", path, "-o", tmp_path / "a.csv")
    assert result.exit_code == 2
    assert "of these one is 0.333333" in result.stderr
    assert "a probability map" in result.stderr


def test_what_nobody_annotated_is_left_out(call: Call, save: Callable, tmp_path: Path) -> None:
    signed = LABELS.astype(np.int32)
    signed[:, :10] = -1
    path = save("a_label.tif", signed)
    rows, said = measure(call, path)
    assert rows == [("2", 160.0), ("3", 200.0)]
    assert "400 pixels are -1, not annotated; they are left out" in said
    report = tmp_path / "report.json"
    words = ("--to", "ome-tiff", "-o", tmp_path / "b.tif", "--json", report)
    assert call("export", path, *words).exit_code == 0
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").data, np.maximum(signed, 0))
    assert "400 pixels are -1" in json.loads(report.read_text())["warnings"][0]


@pytest.mark.parametrize("to", [None, "imagej"])
def test_a_mask_of_true_and_false(
    call: Call, save: Callable, tmp_path: Path, to: str | None
) -> None:
    path = save("a_masks.tif", LABELS > 0)
    words = ("export", path, "--to", to) if to else ("measure", path)
    out = tmp_path / ("a.zip" if to else "a.csv")
    refused = call(*words, "-o", out)
    assert refused.exit_code == 2
    assert "--number-parts" in refused.stderr
    assert not out.exists()
    assert call(*words, "-o", out, "--number-parts").exit_code == 0
    if to:
        assert [roi.name for roi in roifile.roiread(out)] == ["1", "2", "3"]
    else:
        assert measure(call, path, "--number-parts")[0] == AREAS


@pytest.mark.parametrize("kind", ["tif", "tif of one bit", "png of one bit", "zarr"])
def test_formats_agree_on_masks_of_true_and_false(call: Call, tmp_path: Path, kind: str) -> None:
    mask, path = LABELS > 0, tmp_path / f"a_masks.{kind.split()[0]}"
    if kind == "tif":
        tifffile.imwrite(path, mask)
    elif kind == "zarr":
        path = write_image(tmp_path / "a.ome.zarr", MicroscopyImage(LABELS, "yx"))
        path = write_labels(path / "labels" / "mask", LABELS)
        shutil.rmtree(path / "0")
        group = zarr.open_group(path, mode="a")
        group.create_array("0", data=mask, chunks=mask.shape)
    else:
        Image.fromarray(mask).save(path)
    out = tmp_path / "a.csv"
    refused = call("measure", path, "-o", out)
    assert refused.exit_code == 2, refused.output
    assert "--number-parts" in refused.stderr
    result = call("measure", path, "-o", out, "--number-parts")
    assert result.exit_code == 0, result.output
    with out.open(newline="", encoding="utf-8") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_a_mask_of_one_number(call: Call, save: Callable) -> None:
    path = save("a.tif", (LABELS > 0).astype(np.uint8) * 255)
    rows, said = measure(call, path)
    assert rows == [("255", 444.0)]
    assert "one number for 3 separate parts: a mask?" in said
    rows, said = measure(call, path, "--number-parts")
    assert rows == AREAS
    assert "a mask?" not in said


def test_numbering_parts_leaves_label_images_alone(call: Call, save: Callable) -> None:
    path = save("a.tif", np.where(LABELS == 3, 2, LABELS))
    assert measure(call, path, "--number-parts")[0] == [("1", 36.0), ("2", 408.0)]


def evaluate(call: Call, prediction: Path, truth: Path, *words: str) -> tuple[dict, str]:
    given = ("--prediction", prediction, "--truth", truth, "--json", "-")
    result = call("evaluate", "segmentation", *given, *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


def test_masks_are_evaluated_by_their_parts(call: Call, save: Callable, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(f"truth/{name}_masks.tif", (LABELS > 0).astype(np.uint8) * 255)
        save(f"found/{name}_label.tif", LABELS)
    report, said = evaluate(call, tmp_path / "found", tmp_path / "truth")
    assert report["mean"]["f1_0.50"] == 0
    assert "Each of 2 label images has one number for 3 separate parts: a mask?" in said
    assert report["warnings"][0] in said
    report, said = evaluate(call, tmp_path / "found", tmp_path / "truth", "--number-parts")
    assert (report["mean"]["f1_0.50"], report["images"][0]["true"], said) == (1.0, 3, "")


def test_a_mask_of_true_and_false_is_evaluated_when_numbered(call: Call, save: Callable) -> None:
    truth, found = save("t.tif", LABELS > 0), save("f.tif", LABELS.astype(np.float32))
    words = ("evaluate", "segmentation", "--prediction", found, "--truth", truth)
    refused = call(*words)
    assert refused.exit_code == 2
    assert "--number-parts" in refused.stderr
    assert evaluate(call, found, truth, "--number-parts")[0]["mean"]["f1_0.50"] == 1.0


def test_what_nobody_annotated_counts_for_nothing(call: Call, save: Callable) -> None:
    truth = LABELS.astype(np.int16)
    truth[22:] = -1  # one object of three, and an invented one, lie there
    truth[:, :6] = -1  # and parts of both others
    truth[20:22, 40:] = -1
    found = LABELS.copy()
    found[36:39, 2:6], found[19:23, 44:48] = 9, 10  # a row of the last is background
    report, said = evaluate(call, save("f.tif", found), save("t.tif", truth))
    (row,) = report["images"]
    assert (row["true"], row["ap_0.50"], row["f1_0.50"], row["pq"]) == (2, 1.0, 1.0, 1.0)
    assert "1 of 1 truth images have pixels that are -1, not annotated (1052 in all)" in said


def test_intensities_of_an_image_that_shows_nothing(
    call: Call, save: Callable, tmp_path: Path
) -> None:
    labels, image = save("a.tif", LABELS), save("i.tif", np.full((40, 50), np.nan, np.float32))
    result = call("measure", labels, "--image", image, "-o", tmp_path / "a.csv")
    assert result.exit_code == 0, result.output
    assert "The image 'i' has no finite values: all pixels are NaN or infinite." in result.stderr
