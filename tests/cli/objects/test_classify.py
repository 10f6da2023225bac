"""Classes of objects on the command line."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

TRUE = ["cell" if i % 3 else "debris" for i in range(25)]
EXAMPLES = "label,class\n" + "".join(f"{i + 1},{TRUE[i]}\n" for i in range(5))


def _squares(extra: int = 0) -> np.ndarray:
    labels = np.zeros((100, 100), np.uint16)
    for i, name in enumerate(TRUE):
        size = (12 if name == "cell" else 4) + (i + extra) % 3
        y, x = 20 * (i // 5), 20 * (i % 5)
        labels[y : y + size, x : x + size] = i + 1
    return labels


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "examples.csv"
    path.write_text(EXAMPLES)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "cells_label.tif", _squares(), voxel_size=(1, 0.5, 0.5))


def test_examples_of_one_image_classify_it_and_another(
    call: Call, labels: Path, examples: Path, tmp_path: Path
) -> None:
    image = write_image(
        tmp_path / "cells.ome.tif", MicroscopyImage(_squares() * 2, "yx", None, ("DAPI",))
    )
    out, report, kept = (tmp_path / name for name in ("a.csv", "a.json", "a.classes.json"))
    words = ("--image", image, "--keep-examples", kept, "--json", report)
    result = call("classify", labels, "--examples", examples, "-o", out, *words)
    assert result.exit_code == 0, result.output
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == TRUE
    assert [row["class_given"] for row in rows] == ["1"] * 5 + ["0"] * 20
    assert all(0.5 < float(row["class_probability"]) <= 1 for row in rows)
    found = json.loads(report.read_text())
    assert found["classes"] == {"cell": 16, "debris": 9}
    assert (found["recognised"], found["examples"]) == ({}, {"cell": 3, "debris": 2})
    assert "Too few examples to say how good this is" in result.output

    other = write_labels(tmp_path / "other_label.tif", _squares(1), voxel_size=(1, 0.5, 0.5))
    outlines = tmp_path / "other.geojson"
    result = call("classify", other, "--examples", kept, "-o", outlines)
    assert result.exit_code == 0, result.output
    assert "because some examples lack the others" not in result.output
    features = json.loads(outlines.read_text())["features"]
    classes = [each["properties"]["classification"] for each in features]
    assert [each["name"] for each in classes] == TRUE
    assert classes[0]["color"] == [0x00, 0x72, 0xB2]
    assert set(features[0]["properties"]["measurements"]) >= {"area_um2", "class_probability"}
    assert {each["properties"]["measurements"]["class_given"] for each in features} == {0}


def test_one_table_of_several_label_images(call: Call, examples: Path, tmp_path: Path) -> None:
    folder, kept = tmp_path / "labels", tmp_path / "a.classes.json"
    folder.mkdir()
    for extra, name in enumerate("ab"):
        write_labels(folder / f"{name}_label.tif", _squares(extra))
    out = tmp_path / "cells.parquet"
    words = ("classify", folder, "-o", out, "--overwrite", "--keep-examples", kept)
    result = call(*words, "--examples", examples)
    assert result.exit_code == 1
    assert "names objects of one label image, and there are several" in result.output
    result = call(*words, "--examples", kept)
    assert result.exit_code == 0, result.output
    table = pytest.importorskip("pyarrow.parquet").read_table(out)
    assert table["class"].to_pylist() == TRUE * 2
    assert table["class_given"].to_pylist() == [1] * 5 + [0] * 45


def test_bad_names_and_files_are_refused_before_work(
    call: Call, labels: Path, examples: Path, tmp_path: Path
) -> None:
    result = call("classify", labels, "--examples", examples, "-o", tmp_path / "a.txt")
    assert result.exit_code == 2
    assert "does not end with one of .csv, .geojson, .parquet" in result.output
    result = call("classify", labels, "--examples", labels, "-o", tmp_path / "a.csv")
    assert result.exit_code == 2
    assert "holds no examples of classes" in result.output
    assert not (tmp_path / "a.csv").exists()
