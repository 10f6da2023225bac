from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import roifile

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

LABELS = np.zeros((8, 10), np.uint16)
LABELS[1:5, 2:6], LABELS[6, 8] = 4, 300


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "cells_label.tif", LABELS, voxel_size=(1, 0.5, 0.5))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    data = np.stack([LABELS, 2 * LABELS]).astype(np.uint16)
    return write_image(
        tmp_path / "cells.ome.tif", MicroscopyImage(data, "cyx", None, ("DAPI", "GFP"))
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_table_with_units_and_intensities(
    call: Call, labels: Path, image: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "cells.csv", tmp_path / "report.json"
    result = call("measure", labels, "--image", image, "-o", out, "--json", report)
    assert result.exit_code == 0, result.output
    first, second = rows(out)
    assert (first["label"], second["label"]) == ("4", "300")
    assert float(first["area_um2"]) == 4
    assert float(second["mean_GFP"]) == 600
    assert float(first["sum_DAPI"]) == 64
    found = json.loads(report.read_text())
    assert found["rows"] == 2
    assert found["columns"] == list(first)


def test_a_voxel_size_and_axes_can_be_given(call: Call, tmp_path: Path) -> None:
    movie = write_labels(tmp_path / "movie_label.tif", np.stack([LABELS, LABELS]), axes="zyx")
    out = tmp_path / "movie.csv"
    words = ("measure", movie, "-o", out, "--voxel-size", 1, 2, 2)
    assert call(*words, "--axes", "tyx").exit_code == 0
    assert [(row["label"], row["t"]) for row in rows(out)] == [
        ("4", "0"),
        ("300", "0"),
        ("4", "1"),
        ("300", "1"),
    ]
    assert float(rows(out)[0]["area_um2"]) == 64
    assert call(*words, "--planewise", "--overwrite").exit_code == 0
    assert [row["z"] for row in rows(out)] == ["0", "0", "1", "1"]
    assert call(*words, "--overwrite").exit_code == 0
    assert [float(row["volume_um3"]) for row in rows(out)] == [128, 8]


def test_tables_that_exist_are_kept(call: Call, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.csv"
    out.write_text("mine")
    refused = call("measure", labels, "-o", out)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--image", "{wrong}"), "the image 'yx' and (3, 3)"),
        (("--axes", "zyx"), "name 3 axes"),
        (("--voxel-size", "1", "0", "1"), "three positive numbers"),
        (("-o", "{folder}/absent/a.csv"), "does not exist"),
    ],
)
def test_bad_use_is_explained(
    call: Call, labels: Path, tmp_path: Path, words: tuple, message: str
) -> None:
    wrong = write_image(tmp_path / "w.tif", MicroscopyImage(np.ones((3, 3), "u1"), "yx"))
    given = [word.format(wrong=wrong, folder=tmp_path) for word in words]
    result = call("measure", labels, "-o", tmp_path / "a.csv", *given)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "a.csv").exists()


def test_an_image_in_place_of_labels_is_refused(call: Call, tmp_path: Path) -> None:
    floats = write_image(tmp_path / "f.tif", MicroscopyImage(np.full((3, 3), 0.5, "f4"), "yx"))
    result = call("measure", floats, "-o", tmp_path / "a.csv")
    assert result.exit_code == 2
    assert "float32" in result.stderr


def test_rois_for_imagej(call: Call, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "RoiSet.zip"
    assert call("export", labels, "--to", "imagej", "-o", out).exit_code == 0
    assert [roi.name for roi in roifile.roiread(out)] == ["4", "300"]


def test_outlines_for_qupath(call: Call, labels: Path, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.geojson"
    words = ("export", labels, "--to", "geojson", "-o", out)
    assert call(*words).exit_code == 0
    first = json.loads(out.read_text())["features"][0]
    assert first["properties"] == {"objectType": "detection", "name": "4"}
    more = ("--object-type", "annotation", "--image", image, "--overwrite")
    result = call(*words, *more)
    assert result.exit_code == 0, result.output
    properties = json.loads(out.read_text())["features"][1]["properties"]
    assert properties["objectType"] == "annotation"
    assert properties["measurements"]["mean_GFP"] == 600
    assert properties["measurements"]["area_um2"] == 0.25


@pytest.mark.parametrize(("kind", "name"), [("ome-tiff", "a.ome.tif"), ("ome-zarr", "a.ome.zarr")])
def test_label_images(call: Call, labels: Path, tmp_path: Path, kind: str, name: str) -> None:
    out = tmp_path / name
    result = call("export", labels, "--to", kind, "-o", out)
    assert result.exit_code == 0, result.output
    written = read_image(out)
    np.testing.assert_array_equal(written.data, LABELS)
    assert written.voxel_size == (1, 0.5, 0.5)
    if kind == "ome-zarr":
        assert "image-label" in json.loads((out / "zarr.json").read_text())["attributes"]["ome"]
    refused = call("export", labels, "--to", kind, "-o", out)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert call("measure", out, "-o", tmp_path / "a.csv").exit_code == 0


def test_labels_beside_their_image_in_one_zarr(call: Call, labels: Path, tmp_path: Path) -> None:
    holder = write_image(tmp_path / "a.ome.zarr", MicroscopyImage(LABELS * 1.5, "yx"))
    words = ("export", labels, "--to", "ome-zarr", "-o", holder / "labels" / "cells")
    assert call(*words).exit_code == 0
    assert call(*words).exit_code == 2
    out = tmp_path / "a.csv"
    result = call("measure", holder, "--image", holder, "-o", out)
    assert result.exit_code == 0, result.output
    assert [float(row["mean_intensity"]) for row in rows(out)] == [6, 450]


def test_a_name_that_does_not_fit_the_format(call: Call, labels: Path, tmp_path: Path) -> None:
    result = call("export", labels, "--to", "ome-zarr", "-o", tmp_path / "a.tif")
    assert result.exit_code == 2
    assert ".zarr" in result.stderr
    assert not (tmp_path / "a.tif").exists()


def test_a_process_of_its_own(labels: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "napari_ssp.cli", "measure", str(labels)]
    out = tmp_path / "a.csv"
    done = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(rows(out)) == 2


def test_an_image_with_whole_numbers_is_asked_about(call: Call, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).poisson(200, (120, 120)).astype(np.uint16)
    raw = write_image(tmp_path / "raw.tif", MicroscopyImage(noise, "yx"))
    for command, name in (("measure", "a.csv"), ("export", "a.zip")):
        words = (command, raw, "-o", tmp_path / name, *(("--to", "imagej") * (name == "a.zip")))
        result = call(*words)
        assert result.exit_code == 2
        assert "looks like an image" in result.output and "--many-objects" in result.output
        assert not (tmp_path / name).exists()
        assert call(*words, "--many-objects").exit_code == 0
        assert (tmp_path / name).exists()


def test_labels_are_not_replaced_by_their_own_result(call: Call, labels: Path) -> None:
    before = labels.read_bytes()
    for words in (("measure", labels), ("export", labels)):
        result = call(*words, "-o", labels, "--overwrite")
        assert result.exit_code == 2, result.output
        assert labels.read_bytes() == before


@pytest.mark.parametrize("name", ["cells.xlsx", "cells.tif", "cells", "cells.csv.gz"])
def test_a_table_under_the_name_of_another_format(
    call: Call, labels: Path, tmp_path: Path, name: str
) -> None:
    result = call("measure", labels, "-o", tmp_path / name)
    assert result.exit_code == 2
    assert "does not end with .csv or .parquet" in " ".join(result.output.split())
    assert [path.name for path in tmp_path.iterdir()] == [labels.name]
