"""What a command reads is not replaced by what it writes, also where it may overwrite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from image_files import write_positions

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

CELLS = np.kron(np.diag(np.arange(1, 10)), np.ones((6, 6), int)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Labels, their image, nuclei and examples; a Zarr of labels; a movie."""
    write_labels(tmp_path / "cells.tif", CELLS)
    write_labels(tmp_path / "nuclei.tif", CELLS)
    write_labels(tmp_path / "movie.zarr", MicroscopyImage(np.stack([CELLS, CELLS]), "tyx"))
    for name in ("image.tif", "raw.ome.zarr"):
        write_image(tmp_path / name, MicroscopyImage(CELLS, "yx"))
    (tmp_path / "examples.csv").write_text("label,class\n1,a\n2,b\n")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "words",
    [
        "measure cells.tif -o cells.tif",
        "measure cells.tif --image image.tif -o image.tif",
        "measure cells.tif --image image.tif --nuclei nuclei.tif -o nuclei.tif",
        "measure cells.tif --image image.tif -o ./other/../image.tif",
        "classify cells.tif --examples examples.csv -o examples.csv",
        "classify cells.tif --examples examples.csv -o a.csv --keep-examples examples.csv",
        "classify cells.tif --examples examples.csv -o a.csv --keep-examples cells.tif",
        "classify cells.tif --examples examples.csv -o a.csv --keep-examples a.csv",
        "export cells.tif --to ome-tiff -o cells.tif",
        "export cells.tif --image image.tif --to ome-tiff -o image.tif",
        "export cells.tif --image raw.ome.zarr --to ome-zarr -o raw.ome.zarr",
        "track movie.zarr -o movie.zarr",
    ],
)
def test_what_is_read_stays(
    call: Call, folder: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "other").mkdir()
    before = contents(folder)
    refused = call(*words.split(), "--overwrite")
    assert refused.exit_code == 2, refused.output
    said = " ".join(refused.output.split())
    assert any(words in said for words in ("Give another name", "Give such a name", "hold both"))
    assert contents(folder) == before


def test_labels_inside_an_image_are_not_replaced_with_it(call: Call, folder: Path) -> None:
    image = folder / "raw.ome.zarr"
    inside = write_labels(image / "labels" / "cells", MicroscopyImage(CELLS, "yx"))
    before = contents(folder)
    words = ("--to", "ome-zarr", "-o", image, "--overwrite")
    refused = call("export", inside, *words)
    assert refused.exit_code == 2
    assert "over what is read" in refused.output
    assert contents(folder) == before


@pytest.mark.parametrize(
    "words",
    [
        "measure cells.tif -o a.csv --json cells.tif",
        "measure cells.tif -o a.csv --json a.csv",
        "measure cells.tif -o a.csv --json raw.ome.zarr/zarr.json",
        "measure cells.tif -o a.csv --json kept.classes.json",
        "measure cells.tif -o a.csv --json outlines.geojson",
        "models info kept.classes.json --json kept.classes.json",
    ],
)
def test_a_report_replaces_no_other_json(
    call: Call, folder: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "kept.classes.json").write_text('{"kind": "napari-ssp classes of objects"}')
    (folder / "outlines.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    before = contents(folder)
    refused = call(*words.split())
    assert refused.exit_code == 2
    assert "another name" in " ".join(refused.output.split())
    assert contents(folder) == before


def test_a_report_replaces_no_table_of_its_own_run(call: Call, tmp_path: Path) -> None:
    two = write_positions(tmp_path / "two.ome.tif", [CELLS, CELLS], ["a", "b"])
    words = ("-o", tmp_path / "cells.csv", "--json", tmp_path / "cells a.csv")
    refused = call("measure", two, *words)
    assert refused.exit_code == 2
    assert "cells a.csv' exists and is no report" in " ".join(refused.output.split())
    assert (tmp_path / "cells a.csv").read_text().startswith("label,")


def test_reports_say_what_they_are(call: Call, folder: Path) -> None:
    report = folder / "a.json"
    for _ in range(2):
        done = call("export", folder / "cells.tif", "--to", "imagej", "-o", folder / "a.zip")
        assert call("info", "--json", report).exit_code == 0
        assert json.loads(report.read_text())["kind"] == "napari-ssp report"
    assert done.exit_code == 2  # nothing was said of overwriting


def test_results_are_never_written_over_images_or_reports(
    call: Call, tiny_structures: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).normal(100, 20, (3, 32, 40)).astype(np.float32)
    stack = MicroscopyImage(pixels, "zyx", (0.29, 0.29, 0.29))
    # The second is an image of its own here, which the prediction of the first would replace.
    for name in ("a.ome.tif", "a_prediction.ome.tif"):
        write_image(tmp_path / name, stack)
    before = contents(tmp_path)
    words = (tmp_path, "-o", tmp_path, "--overwrite")
    models = ("--through", "dna", "--through-model", tiny_structures)
    for command in (("predict", "--model", tiny_structures), ("segment", *models)):
        refused = call(*command, *words)
        assert refused.exit_code == 2
        assert "over what is read" in " ".join(refused.output.split())
        assert contents(tmp_path) == before
    out = tmp_path / "out"
    report = ("--report", out / "a_objects.csv")
    refused = call("segment", tmp_path / "a.ome.tif", "-o", out, *models, *report)
    assert refused.exit_code == 2
    assert "is one of the results" in refused.output


def test_a_calibration_replaces_nothing_else(call: Call, tiny_critic: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "a_label.tif", CELLS)
    image = tmp_path / "a.tif"
    tifffile.imwrite(image, CELLS)
    other, out = tmp_path / "other.json", tmp_path / "out"
    other.write_text('{"type": "FeatureCollection"}')
    words = ("--labels", labels, "--truth", labels, "--model", tiny_critic, "-o", out)
    for wrong, message in (
        (other, "is no calibration, so it was left as it is"),
        (out / "review.json", "is one of the results"),
        (out / "a_review.csv", "is one of the results"),
    ):
        refused = call("review", image, *words, "--calibrate", wrong)
        assert refused.exit_code == 2, refused.output
        assert message in " ".join(refused.output.split())
    assert other.read_text() == '{"type": "FeatureCollection"}'
    mine = tmp_path / "mine.json"
    for _ in range(2):
        done = call("review", image, *words, "--calibrate", mine, "--overwrite")
        assert done.exit_code == 0, done.output
