"""Runs that go on: what is done, what was begun otherwise, and results beside their images."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from skimage import data
from threshold_student import write_threshold_student

import napari_ssp as ssp
from napari_ssp.io import read_label_image, write_image, write_labels
from napari_ssp.io.objects.notes import is_corrected, read_provenance, write_provenance
from napari_ssp.registry import data_folder, find_card

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

COINS = np.ascontiguousarray(data.coins()[:60, :64])


@pytest.fixture
def segment(call: Call, finding_model: Path, tmp_path: Path) -> Call:
    """Segment into the folder "out"."""
    ends = ("-o", tmp_path / "out", "--model", finding_model, "--flow-threshold", 0)
    return lambda *words: call("segment", *words, *ends)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def states(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row["state"] for row in csv.DictReader(file)]


def test_images_that_are_done_are_skipped(segment: Call, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in "abc":
        tifffile.imwrite(folder / f"{name}.tif", COINS)
    assert segment(folder, "--save-flows").exit_code == 0
    before = (out / "a_label.tiff").stat().st_mtime_ns
    (out / "b_label.tiff").unlink()
    (out / "c_flows.tiff").unlink()
    report = tmp_path / "report.csv"
    result = segment(folder, "--save-flows", "--resume", "--report", report)
    assert result.exit_code == 0, result.output
    assert "1 of 3 images were done before" in result.output
    assert len(names(out)) == 6
    assert (out / "a_label.tiff").stat().st_mtime_ns == before
    assert states(report) == ["done before", "done", "done"]
    result = segment(folder, "--resume", "--overwrite")
    assert result.exit_code == 2
    assert "Give one of --overwrite and --resume" in result.output


def test_labels_that_somebody_corrected_are_done(segment: Call, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COINS)
    assert segment(tmp_path / "a.tif").exit_code == 0
    labels = tmp_path / "out" / "a_label.tiff"
    write_provenance(labels, {"corrected": "2026-01-01T00:00:00+00:00"})
    drawn = labels.read_bytes()
    result = segment(tmp_path / "a.tif", "--save-flows", "--resume")
    assert result.exit_code == 0, result.output
    assert "1 of 1 images were done before" in result.output
    assert labels.read_bytes() == drawn
    assert segment(tmp_path / "a.tif", "--overwrite").exit_code == 0
    assert not is_corrected(labels), "the note of the labels before does not stay"
    assert read_provenance(labels)["request"]["flow_threshold"] == 0


def test_results_of_other_choices_are_not_mixed(
    call: Call, finding_model: Path, tmp_path: Path
) -> None:
    folder, out, model = tmp_path / "in", tmp_path / "out", tmp_path / "model"
    folder.mkdir()
    shutil.copytree(finding_model, model)

    def segment(*words: object) -> Result:
        return call("segment", folder, "-o", out, "--model", model, "--flow-threshold", 0, *words)

    tifffile.imwrite(folder / "a.tif", COINS)
    assert segment("--min-size", 20).exit_code == 0
    tifffile.imwrite(folder / "b.tif", COINS)
    refused = segment("--min-size", 30, "--resume")
    assert refused.exit_code == 2
    assert "min_size was 20 and is 30" in " ".join(refused.output.split())
    assert names(out) == ["a_label.tiff"]
    assert segment("--min-size", 20, "--device", "cpu", "--resume").exit_code == 0
    assert names(out) == ["a_label.tiff", "b_label.tiff"]

    # Earlier versions kept the choices of the last run, and a batch before them no fallback.
    kept = max((data_folder() / "batches").iterdir(), key=lambda path: path.stat().st_mtime)
    with closing(sqlite3.connect(kept)) as database:
        ((text,),) = database.execute("select distinct text from choices").fetchall()
    kept.unlink()
    of_before = json.loads(text)
    assert of_before.pop("fallback") is True
    kept.with_suffix(".json").write_text(json.dumps(of_before))
    refused = segment("--min-size", 20, "--resume")
    assert "fallback was False and is True" in " ".join(refused.output.split())
    assert segment("--min-size", 20, "--resume", "--no-fallback").exit_code == 0

    replace(find_card(model), sha256="0" * 64).write(model)
    refused = segment("--min-size", 20, "--resume", "--no-fallback")
    assert refused.exit_code == 2
    assert "the model's weights are others" in " ".join(refused.output.split())
    shutil.rmtree(model)
    shutil.copytree(finding_model, model)
    for path in out.iterdir():
        path.unlink()
    assert segment("--min-size", 30, "--resume").exit_code == 0, "nothing to go on with"


def test_a_run_that_replaces_results_goes_on_with_its_own(segment: Call, tmp_path: Path) -> None:
    """What it has not reached yet are results of other choices, and never pass for its own."""
    folder, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "report.csv"
    folder.mkdir()
    for name in "ab":
        tifffile.imwrite(folder / f"{name}.tif", COINS)
    assert segment(folder, "--min-size", 20).exit_code == 0
    broken = folder / "b.tif"
    whole = broken.read_bytes()
    broken.write_bytes(b"no image at all")  # as if it ended after the first one
    assert segment(folder, "--min-size", 30, "--overwrite").exit_code == 1
    broken.write_bytes(whole)
    for wrong in (20, 25):
        refused = segment(folder, "--min-size", wrong, "--resume")
        assert refused.exit_code == 2
        assert f"min_size was 30 and is {wrong}" in " ".join(refused.output.split())
    gone_on = segment(folder, "--min-size", 30, "--resume", "--report", report)
    assert gone_on.exit_code == 0, gone_on.output
    assert states(report) == ["done before", "done"]
    for name in "ab":
        # Without a note of their own: what the labels are of is known by what they were made with.
        made = read_label_image(out / f"{name}_label.tiff")
        alone = segment(folder / f"{name}.tif", "--min-size", 30, "--overwrite")
        assert alone.exit_code == 0
        np.testing.assert_array_equal(made.data, read_label_image(out / f"{name}_label.tiff").data)


def test_other_images_into_the_same_folder_are_no_other_choices(
    segment: Call, tmp_path: Path
) -> None:
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", COINS)
    assert segment(tmp_path / "a.tif", "--min-size", 20).exit_code == 0
    assert segment(tmp_path / "b.tif", "--min-size", 30).exit_code == 0
    refused = segment(tmp_path / "a.tif", "--min-size", 30, "--resume")
    assert refused.exit_code == 2
    assert "min_size was 20 and is 30" in " ".join(refused.output.split())
    for name, size in (("a", 20), ("b", 30)):
        again = segment(tmp_path / f"{name}.tif", "--min-size", size, "--resume")
        assert again.exit_code == 0
        assert "1 of 1 images were done before" in again.output


def test_the_weights_of_the_nuclei_count(call: Call, tmp_path: Path) -> None:
    cells, nuclei = (write_threshold_student(tmp_path / name) for name in ("cells", "nuclei"))
    pixels = np.zeros((2, 32, 32), np.uint8)
    pixels[1, 2:14, 2:14], pixels[0, 4:10, 4:10] = 200, 200
    field = write_image(tmp_path / "field.ome.tif", ssp.MicroscopyImage(pixels, "cyx"))
    words = ("compartments", field, "-o", tmp_path / "out", "--model", cells)
    words = (*words, "--nuclei-model", nuclei, "--device", "cpu")
    assert call(*words).exit_code == 0
    assert call(*words, "--resume").exit_code == 0
    replace(find_card(str(nuclei)), sha256="0" * 64).write(nuclei)
    refused = call(*words, "--resume")
    assert refused.exit_code == 2
    assert "the model's weights are others" in " ".join(refused.output.split())


def test_results_beside_their_images_are_no_images(
    call: Call, finding_model: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "stacks"
    folder.mkdir()
    pixels = np.random.default_rng(0).normal(100, 20, (3, 32, 40)).astype(np.float32)
    stack = ssp.MicroscopyImage(pixels, "zyx", (0.29, 0.29, 0.29))
    both = ssp.MicroscopyImage(pixels[:2], "cyx", (1, 0.5, 0.5))
    student = write_threshold_student(tmp_path / "thresholds")
    through = ("--through", "dna", "--through-model", tiny_structures, "--flow-threshold", 0)
    for image, command, *more in (
        (stack, "segment", "--model", finding_model, "--save-flows", *through),
        (stack, "predict", "--model", tiny_structures, "--task", "dna"),
        (both, "compartments", "--model", student, "--nuclei-model", student),
    ):
        for path in folder.iterdir():
            path.unlink()
        write_image(folder / "a.ome.tif", image)
        for again in ((), ("--resume",)):
            done = call(command, folder, "-o", folder, *more, *again)
            assert done.exit_code == 0, done.output
        assert "1 of 1 images were done before" in done.output
        # What is left to do is done.
        (made,) = set(folder.glob("a_*.ome.tif")) | set(folder.glob("a_cells_label.tiff"))
        made.unlink()
        done = call(command, folder, "-o", folder, *more, "--resume")
        assert done.exit_code == 0, done.output
        assert made.exists()


def test_labels_are_no_images_of_their_own(call: Call, tiny_critic: Path, tmp_path: Path) -> None:
    labels = np.zeros((60, 64), np.uint16)
    labels[10:30, 10:30] = 1
    tifffile.imwrite(tmp_path / "a.tif", COINS)
    for ending in ("label", "masks"):
        folder = tmp_path if ending == "label" else tmp_path / "truth"
        folder.mkdir(exist_ok=True)
        write_labels(folder / f"a_{ending}.tif", labels)
    words = ("--labels", tmp_path, "--truth", tmp_path / "truth", "--model", tiny_critic)
    done = call("review", tmp_path, *words, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert names(tmp_path / "out") == [
        "a_errors.ome.tif",
        "a_review.csv",
        "reliability.png",
        "review.json",
    ]
