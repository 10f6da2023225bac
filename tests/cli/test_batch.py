"""Batches: folders in folders, resuming, trying again, and reports of each image."""

from __future__ import annotations

import base64
import csv
import errno
import importlib
import re
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from image_files import write_plate
from skimage import data

from napari_ssp.cli.batch import running
from napari_ssp.cli.batch.thumbnails import draw_thumbnail
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image
from napari_ssp.registry.claims import claimed
from napari_ssp.service import pipelines
from napari_ssp.service.requests import SegmentRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

#: The package names the command as its module.
segment_command = importlib.import_module("napari_ssp.cli.segment")
COINS = np.ascontiguousarray(data.coins()[:60, :64])


@pytest.fixture
def segment(call: Call, finding_model: Path, tmp_path: Path) -> Call:
    """Segment into the folder "out"."""
    ends = ("-o", tmp_path / "out", "--model", finding_model, "--flow-threshold", 0)
    return lambda *words: call("segment", *words, *ends)


def names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_folders_in_folders_keep_their_names(segment: Call, tmp_path: Path) -> None:
    # The results lie in the folder, too, and are none of the images when it is done once more.
    for place in ("", "day1", "day2/left", ".hidden"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / place / "a.tif", COINS)
    (tmp_path / "empty").mkdir()
    for more in ((), ("--overwrite",)):
        result = segment(tmp_path, "--subfolders", *more)
        assert result.exit_code == 0, result.output
        assert names(tmp_path / "out") == [
            "a_label.tiff",
            "day1/a_label.tiff",
            "day2/left/a_label.tiff",
        ]


def test_results_that_another_command_makes_are_left_alone(segment: Call, tmp_path: Path) -> None:
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", COINS)
    out = tmp_path / "out"
    assert segment(tmp_path / "a.tif").exit_code == 0
    (out / "a_label.tiff").unlink()
    with claimed([out / "a_label.tiff"]):
        for words in ((), ("--resume",), ("--overwrite", "--min-size", 30)):
            refused = segment(tmp_path / "a.tif", tmp_path / "b.tif", *words)
            assert refused.exit_code == 2
            assert "is making" in refused.output and "Wait until" in refused.output
        assert names(out) == []
        # Another image into the same folder is no conflict.
        assert segment(tmp_path / "b.tif").exit_code == 0
    assert segment(tmp_path, "--resume").exit_code == 0, "the choices are those that were kept"
    assert names(out) == ["a_label.tiff", "b_label.tiff"]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Images that were begun; "later" fails twice, "never" each time, for want of memory."""
    begun: list[str] = []
    steps = pipelines.prepare_steps

    def prepare(request: Any, *more: Any) -> Any:
        if isinstance(request, SegmentRequest):
            name = str(request.image).rpartition("/")[2].removesuffix(".tif")
            begun.append(name)
            if name == "never" or (name == "later" and begun.count(name) < 3):
                raise MemoryError("the card is full")
        return steps(request, *more)

    monkeypatch.setattr("napari_ssp.service.model_service.prepare_steps", prepare)
    monkeypatch.setattr(running, "_PAUSE", 0)
    return begun


def test_failures_that_may_pass_are_tried_again_after_the_others(
    segment: Call, tmp_path: Path, attempts: list[str]
) -> None:
    folder, report = tmp_path / "in", tmp_path / "report.csv"
    folder.mkdir()
    for name in ("later", "never", "well"):
        tifffile.imwrite(folder / f"{name}.tif", COINS)
    (folder / "text.tif").write_text("no image at all")
    result = segment(folder, "--retries", 3, "--report", report)
    assert result.exit_code == 1
    assert attempts == ["later", "never", "well", "later", "never", "later", "never", "never"]
    assert names(tmp_path / "out") == ["later_label.tiff", "well_label.tiff"]
    rows = {row["image"].rpartition("/")[2]: row for row in rows_of(report)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "later.tif": "done",
        "never.tif": "failed",
        "text.tif": "failed",
        "well.tif": "done",
    }
    assert rows["never.tif"]["error"] == "the card is full"
    assert rows["never.tif"]["result"] == rows["later.tif"]["error"] == ""


def test_what_a_failed_attempt_has_left_is_replaced(
    segment: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COINS)
    write, failed = segment_command._write, []

    def write_later(*given: Any) -> None:
        if not failed:
            failed.append(given)
            raise OSError(errno.EIO, "the drive was away")
        write(*given)

    monkeypatch.setattr(segment_command, "_write", write_later)
    monkeypatch.setattr(running, "_PAUSE", 0)
    result = segment(tmp_path / "a.tif", "--save-flows", "--retries", 1)
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "out") == ["a_flows.tiff", "a_label.tiff"]
    assert segment(tmp_path / "a.tif", "--retries", 1).exit_code == 2  # they exist already


def test_the_page_shows_each_field_of_a_plate(segment: Call, tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "<b>&.ome.zarr", ["B/3"], [COINS, COINS])
    page, table = tmp_path / "report.html", tmp_path / "report.csv"
    words = (plate, "--report", page, "--report", table)
    assert segment(*words).exit_code == 0
    rows = rows_of(table)
    assert [(row["plate"], row["well"], row["field"]) for row in rows] == [
        ("<b>&", "B03", "0"),
        ("<b>&", "B03", "1"),
    ]
    assert all(int(row["objects"]) > 2 and float(row["seconds"]) > 0 for row in rows)
    labels = read_image(tmp_path / "out" / "<b>& B3 1_label.tiff")
    assert rows[1]["result"].endswith("<b>& B3 1_label.tiff")
    text = page.read_text(encoding="utf-8")
    assert "<b>" not in text and "&lt;b&gt;&amp;" in text
    assert "<h1>2 images, " in text and "<script" not in text
    pictures = [
        imagecodecs.png_decode(base64.b64decode(found))
        for found in re.findall(r"base64,([^\"]+)", text)
    ]
    assert [picture.shape for picture in pictures] == [(60, 64, 3)] * 2
    yellow = (pictures[1] == (255, 200, 0)).all(-1)
    assert yellow.any()
    assert (np.asarray(labels.data)[yellow] > 0).all()
    # Written over an earlier report, and over nothing else.
    assert segment(*words, "--overwrite").exit_code == 0
    table.write_text("label,area\n")
    result = segment(*words, "--overwrite")
    assert result.exit_code == 2
    assert "exists and is no report" in result.output
    assert "a report is a table" in segment(plate, "--report", tmp_path / "r.doc").output


@pytest.mark.parametrize("factor", [1e30, 1e302, np.inf])
def test_a_picture_of_values_beyond_all_bounds(factor: float) -> None:
    pixels = COINS.astype(np.float64)
    pixels[:2] *= factor
    drawn = imagecodecs.png_decode(draw_thumbnail(MicroscopyImage(pixels, "yx")))
    assert drawn[:2].max() == 255 and drawn[2:].min() == 0


def test_a_picture_is_taken_from_the_level_that_is_large_enough() -> None:
    levels = [np.full((n, n), n, np.uint16) for n in (800, 400, 200, 100)]
    for level in levels:
        level[0] = 0
    drawn = []

    class Seen:
        def __init__(self, level: Any) -> None:
            self.level, self.shape, self.dtype, self.ndim = level, level.shape, level.dtype, 2

        def __getitem__(self, key: Any) -> Any:
            drawn.append(self.shape)
            return self.level[key]

    image = MicroscopyImage(Seen(levels[0]), "yx", levels=tuple(map(Seen, levels[1:])))
    picture = imagecodecs.png_decode(draw_thumbnail(image))
    assert (drawn, picture.shape) == ([(200, 200)], (100, 100, 3))


def test_a_report_of_predictions_has_pictures(
    call: Call, tiny_structures: Path, tmp_path: Path
) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (16, 32, 32), np.uint8)
    tifffile.imwrite(tmp_path / "s.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    words = ("--model", tiny_structures, "--task", "dna", "--report", tmp_path / "r.html")
    result = call("predict", tmp_path / "s.tif", "-o", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    found = re.search(r"base64,([^\"]+)", (tmp_path / "r.html").read_text(encoding="utf-8"))
    assert found is not None
    assert imagecodecs.png_decode(base64.b64decode(found[1])).shape == (32, 32, 3)
