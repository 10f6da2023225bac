"""Files with several images, sets of files, folders as systems leave them, in every command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from image_files import (
    noise,
    write_appended,
    write_channel_set,
    write_plate,
    write_position_set,
    write_positions,
)
from skimage import data

import napari_ssp as ssp
from napari_ssp.cli import label_files
from napari_ssp.io import read_image, read_scenes, write_labels
from napari_ssp.io.reading import list_images
from napari_ssp.service import restore_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

COINS = data.coins()
A, B, C = (np.ascontiguousarray(COINS[k : k + 48, 10 : 10 + 60]) for k in (0, 60, 120))


def labels_of(pixels: Any, model: Path, **choices: Any) -> np.ndarray:
    found = ssp.segment(pixels, str(model), flow_threshold=0.0, **choices)
    assert found.num_objects > 2
    return found.labels


@pytest.fixture
def positions(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return write_positions(folder / "cells.ome.tif", [A, B, C], ["Pos0", "Pos1", "Pos:2"])


@pytest.fixture
def segment(call: Call, finding_model: Path, tmp_path: Path) -> Call:
    """Segment into the folder "out"."""
    ends = ("-o", tmp_path / "out", "--model", finding_model, "--flow-threshold", 0)
    return lambda *words: call("segment", *words, *ends)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_scene_is_segmented(
    segment: Call, positions: Path, finding_model: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    result = segment(positions.parent, "--json", report)
    assert result.exit_code == 0, result.output
    assert "holds 3 images (Pos0, Pos1, Pos:2)" in result.output
    out = tmp_path / "out"
    assert names(out) == [
        "cells Pos0_label.tiff",
        "cells Pos1_label.tiff",
        "cells Pos_2_label.tiff",
    ]
    for name, pixels in (("Pos0", A), ("Pos1", B), ("Pos_2", C)):
        expected = labels_of(pixels, finding_model)
        np.testing.assert_array_equal(read_image(out / f"cells {name}_label.tiff").data, expected)
    rows = json.loads(report.read_text())["images"]
    assert [row["scene"] for row in rows] == ["Pos0", "Pos1", "Pos:2"]
    assert [row["provenance"]["request"]["scene"] for row in rows] == ["Pos0", "Pos1", "Pos:2"]


def test_one_scene_by_name_or_number(segment: Call, positions: Path, tmp_path: Path) -> None:
    for wanted in ("Pos1", "1"):
        assert segment(positions, "--scene", wanted, "--overwrite").exit_code == 0
    assert names(tmp_path / "out") == ["cells Pos1_label.tiff"]
    result = segment(positions, "--scene", "Pos9")
    assert result.exit_code == 2
    assert "has no scene 'Pos9': it holds 3 images (Pos0, Pos1, Pos:2)" in result.output


def test_a_set_is_done_once(segment: Call, tmp_path: Path) -> None:
    write_channel_set(tmp_path / "set", [A, B])
    result = segment(tmp_path / "set")
    assert result.exit_code == 0, result.output
    assert "set_C1.ome.tif belongs to the set of" in result.output
    assert names(tmp_path / "out") == ["set_C0_label.tiff"]


def test_an_incomplete_set_fails_by_name(
    segment: Call, finding_model: Path, tmp_path: Path
) -> None:
    files = write_position_set(tmp_path / "set", [A, B])
    files[0].unlink()
    result = segment(tmp_path / "set")
    assert result.exit_code == 1
    assert "of which 'well_p0.ome.tif' is not there" in result.output
    assert names(tmp_path / "out") == ["well_p0 Pos1_label.tiff"]
    labels = read_image(tmp_path / "out" / "well_p0 Pos1_label.tiff").data
    np.testing.assert_array_equal(labels, labels_of(B, finding_model))


def test_missing_planes_may_be_zeros(segment: Call, finding_model: Path, tmp_path: Path) -> None:
    files = write_channel_set(tmp_path / "set", [A, B])
    files[0].unlink()
    result = segment(files[1], "--missing", "zeros", "--channel", "1")
    assert result.exit_code == 0, result.output
    assert "1 of 2 planes of 'set_C1.ome.tif' are 0" in result.output
    labels = read_image(tmp_path / "out" / "set_C0_label.tiff").data
    np.testing.assert_array_equal(labels, labels_of(B, finding_model))
    result = segment(files[1], "--missing", "noughts")
    assert result.exit_code == 2
    assert "must be one of refuse, zeros" in result.output


def test_files_of_the_system_do_not_fail_a_folder(segment: Call, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(folder / "A01.tif", A)
    (folder / "._A01.tif").write_bytes(bytes([0, 5, 22, 7]) + bytes(4092))
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(508))
    result = segment(folder)
    assert (result.exit_code, result.output.count("\n")) == (0, 1), result.output
    assert names(tmp_path / "out") == ["A01_label.tiff"]
    result = segment(folder / "Thumbs.db")
    assert result.exit_code == 1
    assert "is no image: the system keeps its own notes" in result.output


def test_appended_pages_are_a_stack(segment: Call, tmp_path: Path) -> None:
    path = write_appended(tmp_path / "appended.tif", [A, B, C])
    result = segment(path)
    assert result.exit_code == 0, result.output
    assert "3 pages of one shape" in result.output
    labels = read_image(tmp_path / "out" / "appended_label.tiff")
    assert (labels.axes, labels.shape) == ("zyx", (3, 48, 60))


def test_all_fields_of_a_plate(segment: Call, finding_model: Path, tmp_path: Path) -> None:
    plate = write_plate(tmp_path / "p.ome.zarr", ["A/1", "B/2"], [A, B], "0.4")
    assert segment(plate).exit_code == 0
    out = tmp_path / "out"
    expected = [f"p {well} {field}_label.tiff" for well in ("A1", "B2") for field in (0, 1)]
    assert names(out) == expected
    labels = labels_of(B, finding_model, voxel_size=(1.0, 0.65, 0.65))
    np.testing.assert_array_equal(read_image(out / "p B2 1_label.tiff").data, labels)
    for words in ((plate, "--scene", "A/1"), (plate / "A" / "1",)):
        for path in out.iterdir():
            path.unlink()
        done = segment(*words)
        assert done.exit_code == 0
        assert "--scene" not in words or "taken: A/1/0, A/1/1." in done.stderr
        assert names(out) == expected[:2]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_are_added_to_the_fields_of_a_plate(
    call: Call, finding_model: Path, tmp_path: Path, version: str
) -> None:
    plate = write_plate(tmp_path / "p.ome.zarr", ["A/1", "B/2"], [A, B], version)
    words = ("segment", plate, "-o", plate, "--model", finding_model, "--flow-threshold", 0)
    result = call(*words)
    assert result.exit_code == 0, result.output
    expected = labels_of(B, finding_model, voxel_size=(1.0, 0.65, 0.65))
    for well in ("A/1", "B/2"):
        scenes = read_scenes(plate, f"{well}/1")
        assert [(s.is_labels, s.name) for s in scenes] == [
            (False, f"{well}/1"),
            (True, f"{well}/1 cells"),
        ]
        np.testing.assert_array_equal(np.asarray(scenes[1].image.data), expected)
        assert scenes[1].image.voxel_size == (1.0, 0.65, 0.65)
    assert "4 outputs exist already" in call(*words).output
    assert call(*words, "--scene", "A/1/0", "--overwrite").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.ome.zarr"]
    other = write_plate(tmp_path / "q.ome.zarr", ["A/1"], [A])
    result = call("segment", other, "-o", plate, "--model", finding_model)
    assert result.exit_code == 2
    assert "is an OME-Zarr. Labels are added to it only when it is the one" in result.output


def test_the_same_scene_again_from_its_provenance(positions: Path, finding_model: Path) -> None:
    result = ssp.segment(positions, str(finding_model), scene=1, flow_threshold=0.0)
    np.testing.assert_array_equal(result.labels, labels_of(B, finding_model))
    assert result.provenance["request"]["scene"] == "1"
    again = ssp.ModelService().submit(restore_request(result.provenance)).result()
    np.testing.assert_array_equal(again.labels, result.labels)
    first = ssp.segment(positions, str(finding_model))
    assert any("the first, 'Pos0', is taken" in line for line in first.warnings)
    old = {**first.provenance, "request": dict(first.provenance["request"])}
    del old["request"]["scene"], old["request"]["missing"]
    assert restore_request(old).scene is None


def test_every_stack_is_predicted(call: Call, tiny_structures: Path, tmp_path: Path) -> None:
    stacks = [noise(16, 32, 32, seed=k) for k in range(2)]
    with tifffile.TiffWriter(tmp_path / "s.ome.tif") as tif:
        for k, stack in enumerate(stacks):
            tif.write(stack, metadata={"axes": "ZYX", "Name": f"S{k}"}, photometric="minisblack")
    words = ("-o", tmp_path / "out", "--model", tiny_structures, "--task", "dna")
    result = call("predict", tmp_path / "s.ome.tif", *words)
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "out") == ["s S0_prediction.ome.tif", "s S1_prediction.ome.tif"]
    expected = ssp.predict_structures(stacks[1], ["dna"], str(tiny_structures))["dna"]
    found = read_image(tmp_path / "out" / "s S1_prediction.ome.tif").data
    np.testing.assert_array_equal(np.squeeze(found), expected)


def labels_with(*sizes: int) -> np.ndarray:
    labels = np.zeros((20, 30), np.uint16)
    for k, size in enumerate(sizes):
        labels[6 : 6 + size, 12 * k + 5 : 12 * k + 5 + size] = k + 1
    return labels


@pytest.fixture
def two_labels(tmp_path: Path) -> Path:
    path = tmp_path / "cells_label.ome.tif"
    return write_positions(path, [labels_with(4), labels_with(5, 6)], ["Pos0", "Pos1"])


def test_every_label_image_is_measured(call: Call, two_labels: Path, tmp_path: Path) -> None:
    bright = np.full((20, 30), 7, np.uint8), np.full((20, 30), 9, np.uint8)
    image = write_positions(tmp_path / "cells.ome.tif", bright, ["Pos0", "Pos1"])
    table = tmp_path / "t.csv"
    report = tmp_path / "r.json"
    result = call("measure", two_labels, "--image", image, "-o", table, "--json", report)
    assert result.exit_code == 0, result.output
    rows = json.loads(report.read_text())["scenes"]
    assert [(row["scene"], row["rows"]) for row in rows] == [("Pos0", 1), ("Pos1", 2)]
    for name, areas, mean in (("Pos0", [16], 7), ("Pos1", [25, 36], 9)):
        lines = (tmp_path / f"t {name}.csv").read_text().splitlines()
        head = lines[0].split(",")
        values = [dict(zip(head, line.split(","), strict=True)) for line in lines[1:]]
        assert [float(row["area_px2"]) for row in values] == areas
        assert all(float(row["mean_intensity"]) == mean for row in values)
    assert call("measure", two_labels, "--scene", "1", "-o", table).exit_code == 0
    assert len(table.read_text().splitlines()) == 3


def test_the_image_of_several_label_images_is_listed_once(
    call: Call, two_labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Path] = []

    def listing(path: Path) -> Any:
        listed.append(path)
        return list_images(path)

    monkeypatch.setattr(label_files, "list_images", listing)
    image = write_positions(tmp_path / "both.ome.tif", [labels_with(4)] * 2, ["a", "b"])
    result = call("measure", two_labels, "--image", image, "-o", tmp_path / "t.csv")
    assert result.exit_code == 0, result.output
    assert listed == [image]


def test_the_image_of_a_scene_is_found_by_the_name_of_its_labels(
    call: Call, positions: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "cells Pos1_label.tif"
    write_labels(labels, np.ones(B.shape, np.uint8))
    table = tmp_path / "t.csv"
    result = call("measure", labels, "--image", positions, "-o", table)
    assert result.exit_code == 0, result.output
    head, row = (line.split(",") for line in table.read_text().splitlines())
    assert float(row[head.index("mean_intensity")]) == pytest.approx(B.mean())
    write_labels(tmp_path / "other_label.tif", np.ones(B.shape, np.uint8))
    words = (tmp_path / "other_label.tif", "--image", positions, "-o", tmp_path / "u.csv")
    result = call("measure", *words)
    assert result.exit_code == 2
    assert "it is open which one 'other_label' belongs to" in result.output


def test_every_label_image_is_exported(call: Call, two_labels: Path, tmp_path: Path) -> None:
    words = ("--to", "geojson", "-o", tmp_path / "o.geojson")
    result = call("export", two_labels, *words)
    assert result.exit_code == 0, result.output
    counts = [
        len(json.loads((tmp_path / f"o {name}.geojson").read_text())["features"])
        for name in ("Pos0", "Pos1")
    ]
    assert counts == [1, 2]


def test_labels_are_scored_scene_by_scene(call: Call, two_labels: Path, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    write_labels(found / "cells Pos0_label.tif", labels_with(4))
    write_labels(found / "cells Pos1_label.tif", labels_with(5))
    (found / "._cells Pos1_label.tif").write_bytes(bytes([0, 5, 22, 7]) + bytes(99))
    report = tmp_path / "r.json"
    words = ("--truth", two_labels, "--json", report)
    result = call("evaluate", "segmentation", "--prediction", found, *words)
    assert result.exit_code == 0, result.output
    rows = json.loads(report.read_text())["images"]
    assert [(row["name"], row["true"], row["predicted"]) for row in rows] == [
        ("cells Pos0", 1, 1),
        ("cells Pos1", 2, 1),
    ]
    result = call("evaluate", "segmentation", "--prediction", two_labels, *words)
    assert result.exit_code == 0, result.output
    rows = json.loads(report.read_text())["images"]
    assert [(row["name"], row["f1_0.50"]) for row in rows] == [("Pos0", 1.0), ("Pos1", 1.0)]


def test_structures_are_scored_scene_by_scene(call: Call, tmp_path: Path) -> None:
    images = [noise(20, 30, seed=k) for k in range(2)]
    truth = write_positions(tmp_path / "truth.ome.tif", images, ["a", "b"])
    found = write_positions(tmp_path / "found.ome.tif", images, ["a", "b"])
    report = tmp_path / "r.json"
    words = ("--truth", truth, "--no-normalise", "--json", report)
    result = call("evaluate", "structures", "--prediction", found, *words)
    assert result.exit_code == 0, result.output
    rows = json.loads(report.read_text())["images"]
    assert [(row["name"], row["mse"]) for row in rows] == [("truth a", 0.0), ("truth b", 0.0)]
