"""``napari-ssp compartments``, and ``measure --nuclei``."""

from __future__ import annotations

import csv
import json
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from image_files import write_plate
from threshold_student import write_threshold_student

import napari_ssp as ssp
from napari_ssp.cli.compartment_names import COMPARTMENTS
from napari_ssp.cli.compartments import compartments
from napari_ssp.io import read_label_image, write_image, write_labels
from napari_ssp.service import as_command, compartments_request, restore_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_threshold_student(tmp_path_factory.mktemp("models") / "thresholds"))


def two_cells() -> np.ndarray:
    """Two cells in the second channel, one with a nucleus in the first."""
    pixels = np.zeros((2, 32, 32), np.uint8)
    pixels[1, 2:14, 2:14], pixels[1, 18:30, 16:30] = 200, 200
    pixels[0, 4:10, 4:10] = 200
    return pixels


@pytest.fixture
def field(tmp_path: Path) -> Path:
    image = ssp.MicroscopyImage(two_cells(), "cyx", (1, 0.5, 0.5), ("DAPI", "actin"))
    return write_image(tmp_path / "field.ome.tif", image)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_run_writes_the_three_and_their_table(
    call: Call, field: Path, student: str, tmp_path: Path
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    models = ["--model", student, "--nuclei-model", student, "--nuclei-min-size", 20]
    done = call("compartments", field, "-o", out, *models, "--device", "cpu", "--json", report)
    assert done.exit_code == 0, done.output
    assert "1 of 2 cells without a nucleus." in done.output
    assert "2 cells, 1 nuclei in them" in done.output
    cells, nuclei, cytoplasm = (
        tifffile.imread(out / f"field_{part}_label.tiff")
        for part in ("cells", "nuclei", "cytoplasm")
    )
    assert cells.max() == 2
    np.testing.assert_array_equal(nuclei, np.where(np.pad(np.ones((6, 6)), (4, 22)), cells, 0))
    np.testing.assert_array_equal(nuclei + cytoplasm, cells)
    first, second = sorted(rows(out / "field_objects.csv"), key=lambda row: row["num_nuclei"])
    assert (first["num_nuclei"], second["num_nuclei"]) == ("0", "1")
    assert float(second["nucleus_to_cytoplasm_area"]) == 36 / 108
    (row,) = json.loads(report.read_text())["images"]
    assert row["counts"]["without_nucleus"] == 1

    # Measure finds the same numbers in the files.
    table = tmp_path / "again.csv"
    words = ["--nuclei", out / "field_nuclei_label.tiff", "--image", field, "-o", table]
    done = call("measure", out / "field_cells_label.tiff", *words)
    assert done.exit_code == 0, done.output
    assert rows(table) == rows(out / "field_objects.csv")

    # The report's provenance gives request and command again.
    again: Any = restore_request(row["provenance"])
    assert (again.cells.channel, again.nuclei.channel, again.nuclei.min_size) == (1, 0, 20)
    command = shlex.split(as_command(row["provenance"]))
    chosen = compartments.make_context("compartments", command[2:]).params
    (path,) = chosen.pop("paths")
    assert path == field
    known = [name for name in chosen if name not in BATCH]
    other = compartments_request(path, **{name: chosen[name] for name in known})
    assert other.provenance() == again.provenance()


#: Options of the command that are not of the request.
BATCH = (
    *("output", "compute", "kind", "overwrite", "json_path"),
    *("subfolders", "resume", "retries", "reports"),
)


def test_what_cannot_be_done_is_said_before_any_work(
    call: Call, field: Path, student: str, tmp_path: Path
) -> None:
    models = ["--model", student, "--nuclei-model", student]
    out = tmp_path / "out"
    done = call("compartments", field, "-o", out, *models, "--stacks", "all")
    assert done.exit_code == 2
    assert "must be one of planes, linked, volume, got 'all'" in done.output
    grey = write_image(tmp_path / "g.tif", ssp.MicroscopyImage(np.ones((9, 9), np.uint8), "yx"))
    done = call("compartments", grey, "-o", out, *models)
    assert done.exit_code == 1
    assert "has a single channel, but cells and nuclei are found in two" in done.output


def test_a_plate_takes_the_three_and_is_measured_with_its_nuclei(
    call: Call, student: str, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    plate = write_plate(tmp_path / "p.ome.zarr", ["B/3"], [two_cells(), two_cells()[:, ::-1]])
    models = ["--model", student, "--nuclei-model", student, "--channel", 1, "--nuclei", 0]
    done = call("compartments", plate, "-o", plate, *models, "--device", "cpu")
    assert done.exit_code == 0, done.output
    for place in ("B/3/0", "B/3/1"):
        cells, nuclei, cytoplasm = (
            read_label_image(plate, f"{place} {part}").plane() for part in COMPARTMENTS
        )
        assert cells.max() == 2 and nuclei.any()
        np.testing.assert_array_equal(nuclei + cytoplasm, cells)
    assert call("compartments", plate, "-o", plate, *models).exit_code == 2  # they exist

    table = tmp_path / "cells.parquet"
    words = ("measure", plate, "--image", plate, "--nuclei", plate, "-o", table)
    done = call(*words)
    assert done.exit_code == 0, done.output
    rows_of = parquet.read_table(table).to_pylist()
    assert [(row["well"], row["field"]) for row in rows_of] == [("B03", f) for f in "0011"]
    assert sorted(row["num_nuclei"] for row in rows_of) == [0, 0, 1, 1]
    with_nucleus = [row for row in rows_of if row["num_nuclei"]]
    assert [row["nucleus_to_cytoplasm_area"] for row in with_nucleus] == [36 / 108] * 2
    # One field alone, into a CSV.
    one = tmp_path / "one.csv"
    done = call(*words[:-1], one, "--scene", "B/3/1 cells")
    assert done.exit_code == 0, done.output
    assert [row["num_nuclei"] for row in rows(one)] == [
        str(row["num_nuclei"]) for row in rows_of if row["field"] == "1"
    ]


def test_a_folder_of_both_is_measured_with_its_nuclei(call: Call, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    cells, nuclei = np.zeros((2, 12, 12), np.uint16)
    cells[1:11, 1:11], nuclei[2:6, 2:6] = 1, 1
    for place in ("", "day2"):
        for part, labels in (("cells", cells), ("nuclei", nuclei), ("cytoplasm", cells - nuclei)):
            (tmp_path / "out" / place).mkdir(parents=True, exist_ok=True)
            write_labels(tmp_path / "out" / place / f"a_{part}_label.tiff", labels)
    write_labels(tmp_path / "out" / "b_cells_label.tiff", cells)
    out, table = tmp_path / "out", tmp_path / "cells.parquet"
    done = call("measure", out, "--nuclei", out, "-o", table, "--subfolders")
    assert done.exit_code == 1
    assert "it is open which one 'b' belongs to" in done.output
    found = parquet.read_table(table).to_pylist()
    assert [(row["file"], row["num_nuclei"], row["area_px2"]) for row in found] == [
        (str(out / "a_cells_label.tiff"), 1, 100),
        (str(out / "day2" / "a_cells_label.tiff"), 1, 100),
    ]
    # Labels whose name says no part are the cells of nuclei that lie elsewhere.
    write_labels(tmp_path / "a_label.tiff", cells)
    words = ("measure", tmp_path / "a_label.tiff", "--nuclei", out / "a_nuclei_label.tiff")
    assert call(*words, "-o", tmp_path / "a.csv").exit_code == 0
    assert [row["num_nuclei"] for row in rows(tmp_path / "a.csv")] == ["1"]
