"""One table of the objects of a whole plate, or of a folder."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from image_files import write_plate

from napari_ssp.io import write_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

parquet = pytest.importorskip("pyarrow.parquet")

FIELDS = [np.full((20, 30), value, np.uint8) for value in (7, 9)]

#: µm² of a pixel of that plate.
PIXEL = 0.65**2


def labels_with(*sizes: int) -> np.ndarray:
    labels = np.zeros((20, 30), np.uint16)
    for k, size in enumerate(sizes):
        labels[4 : 4 + size, 12 * k + 2 : 12 * k + 2 + size] = k + 1
    return labels


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Plate with two wells of two fields; the last field has no labels."""
    plate = write_plate(tmp_path / "p.ome.zarr", ["B/3", "C/11"], FIELDS)
    for place, sizes in (("B/3/0", (4,)), ("B/3/1", (5, 6)), ("C/11/0", ())):
        write_labels(plate / place / "labels" / "cells", labels_with(*sizes))
    return plate


def test_a_plate_is_one_table(call: Call, plate: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "cells.parquet", tmp_path / "r.json"
    words = (plate, "--image", plate, "-o", out)
    result = call("measure", *words, "--json", report)
    assert result.exit_code == 0, result.output
    found = parquet.read_table(out)
    assert found.column_names[:6] == ["plate", "well", "field", "file", "scene", "label"]
    rows = found.select(["plate", "well", "field", "scene", "mean_intensity"])
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("p", "B03", "0", "B/3/0", 7.0),
        ("p", "B03", "1", "B/3/1", 9.0),
        ("p", "B03", "1", "B/3/1", 9.0),
    ]
    assert found.column("area_um2").to_pylist() == pytest.approx([n * PIXEL for n in (16, 25, 36)])
    assert set(found.column("file").to_pylist()) == {str(plate)}
    # A part of the file per image, so that all of it need never be in memory.
    assert parquet.ParquetFile(out).num_row_groups == 2
    assert json.loads(report.read_text())["rows"] == 3
    assert call("measure", *words).exit_code == 2
    assert call("measure", *words, "--overwrite").exit_code == 0


def test_the_results_of_a_batch_are_one_table(call: Call, plate: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "cells.parquet", tmp_path / "out"
    folder.mkdir()
    write_labels(folder / "p B3 1_label.tiff", labels_with(3))
    write_labels(folder / "p C11 0_label.tiff", labels_with(4))
    write_labels(folder / "q A1 0_label.tiff", labels_with(4))
    tifffile.imwrite(folder / "p C11 1_label.tiff", np.zeros((20, 31), np.uint16))
    result = call("measure", folder, "--image", plate, "-o", out)
    assert result.exit_code == 1
    assert "it is open which one 'q A1 0_label' belongs to" in result.output
    assert "shape (20, 31)" in result.output
    assert "2 of 4 label images are not in the table" in result.output
    found = parquet.read_table(out)
    rows = found.select(["well", "field"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("B03", "1"), ("C11", "0")]
    assert found.column("area_um2").to_pylist() == pytest.approx([9 * PIXEL, 16 * PIXEL])


def test_labels_in_folders_have_their_images_in_folders(call: Call, tmp_path: Path) -> None:
    images, labels, out = tmp_path / "in", tmp_path / "in" / "out", tmp_path / "cells.parquet"
    # Images of one name, in other folders, have other values; results lie among the images.
    for value, place in ((3, ""), (5, "day1"), (7, "day2/left")):
        (images / place).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(images / place / "a.tif", np.full((20, 30), value, np.uint8))
        (labels / place).mkdir(parents=True, exist_ok=True)
        write_labels(labels / place / "a_label.tiff", labels_with(value))
    write_labels(labels / "day1" / "b_label.tiff", labels_with(4))
    write_labels(labels / "day2" / "a_label.tiff", labels_with(4))
    words = ("measure", labels, "--image", images, "-o", out)
    result = call(*words, "--subfolders")
    assert result.exit_code == 1
    assert "which one 'b_label' belongs to" in result.output
    assert "2 of 5 label images are not in the table" in result.output
    found = parquet.read_table(out).to_pylist()
    assert [(row["file"], row["mean_intensity"], row["area_px2"]) for row in found] == [
        (str(images / "a.tif"), 3, 9),
        (str(images / "day1" / "a.tif"), 5, 25),
        (str(images / "day2" / "left" / "a.tif"), 7, 49),
    ]
    assert call("measure", labels, "-o", out, "--subfolders", "--overwrite").exit_code == 0
    assert {row["file"] for row in parquet.read_table(out).to_pylist()} == {
        str(path) for path in labels.rglob("*.tiff")
    }


def test_folders_in_folders_are_no_files(call: Call, plate: Path, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    write_labels(folder / "a_label.tiff", labels_with(3))
    words = ("-o", tmp_path / "cells.parquet", "--subfolders")
    for places in ((folder, "--image", plate), (folder / "a_label.tiff",)):
        refused = call("measure", *places, *words)
        assert refused.exit_code == 2
        assert "LABELS, --image and --nuclei are folders of folders" in " ".join(
            refused.output.split()
        )
    refused = call("measure", folder, "-o", tmp_path / "cells.csv", "--subfolders")
    assert refused.exit_code == 2 and "give -o cells.parquet" in refused.output


def test_files_have_no_well(call: Call, tmp_path: Path) -> None:
    write_labels(tmp_path / "a_label.tif", labels_with(3), voxel_size=(1, 0.5, 0.5))
    write_labels(tmp_path / "b_label.tif", labels_with(4))
    result = call("measure", tmp_path, "-o", tmp_path / "cells.parquet")
    assert result.exit_code == 1
    assert "lacking: area_um2" in result.output and "more: area_px2" in result.output
    (row,) = parquet.read_table(tmp_path / "cells.parquet").to_pylist()
    assert (row["plate"], row["well"], row["area_um2"]) == (None, None, 9 / 4)
    assert row["file"] == str(tmp_path / "a_label.tif")


def test_without_any_measurement_there_is_no_table(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a_label.tif").write_text("no image")
    result = call("measure", tmp_path / "a_label.tif", "-o", tmp_path / "cells.parquet")
    assert result.exit_code == 2
    assert "There are no measurements" in result.output
    assert not (tmp_path / "cells.parquet").exists()


def test_the_library_that_is_missing_is_named(
    call: Call, plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    result = call("measure", plate, "-o", tmp_path / "cells.parquet")
    assert result.exit_code == 2
    assert 'pip install "napari-ssp[tables]"' in result.output
