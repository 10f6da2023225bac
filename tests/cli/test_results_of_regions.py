"""Results of a region, plane or time point, from the command to every file that is made of them."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import roifile
from click.testing import CliRunner

import napari_ssp as ssp
from napari_ssp.cli import main
from napari_ssp.io import read_image, write_image, write_labels
from napari_ssp.io.samples import sample_image
from napari_ssp.place import cut

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

REGION = (10, 74, 20, 84)
SIZE = (2.0, 0.5, 0.25)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three planes of which the second is segmented, somewhere on a stage."""
    nuclei = sample_image("fluorescent_nuclei").plane()
    planes = np.stack([nuclei[k : k + 90, :140] for k in (60, 0, 30)])
    image = ssp.MicroscopyImage(planes, "zyx", SIZE, position=(0.0, 100.0, -50.0))
    return write_image(tmp_path_factory.mktemp("stack") / "stack.ome.zarr", image)


@pytest.fixture(scope="module", params=["tiff", "zarr"])
def labels(
    request: pytest.FixtureRequest, stack: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Labels of a region of one plane, as the command writes them, and their flows beside."""
    folder = tmp_path_factory.mktemp("labels")
    words = ["segment", stack, "-o", folder, "--plane", 0, 1, "--region", *REGION, "--save-flows"]
    result = CliRunner().invoke(main, [str(w) for w in (*words, "--format", request.param)])
    assert result.exit_code == 0, result.output
    return folder / f"stack_label.{request.param}"


def test_labels_and_flows_of_a_region_know_their_place(labels: Path) -> None:
    flows = labels.with_name(labels.name.replace("label", "flows"))
    for path in (labels, flows):
        found = read_image(path)
        assert (found.origin, found.full_axes) == ((0, 1, 10, 20), "zyx")
        assert found.position == (0.0, 100.0, -50.0)
        assert found.voxel_size == SIZE


def test_all_that_is_made_of_them_has_places_of_the_full_image(
    call: Call, labels: Path, stack: Path, tmp_path: Path
) -> None:
    found = read_image(labels).plane()
    rows, columns = np.nonzero(found == 1)
    assert call("measure", labels, "--image", stack, "-o", tmp_path / "a.csv").exit_code == 0
    with (tmp_path / "a.csv").open() as file:
        row = next(csv.DictReader(file))
    assert row["z"] == "1"
    assert int(row["bbox_y_start_px"]) == rows.min() + 10
    assert int(row["bbox_x_stop_px"]) == columns.max() + 1 + 20
    assert float(row["centroid_y_px"]) == pytest.approx(rows.mean() + 10)
    assert float(row["centroid_x_um"]) == pytest.approx((columns.mean() + 20) * 0.25)
    pixels = read_image(stack).plane(z=1)[10:74, 20:84]
    assert float(row["mean_intensity"]) == pytest.approx(pixels[found == 1].mean())
    assert call("export", labels, "--to", "geojson", "-o", tmp_path / "a.geojson").exit_code == 0
    feature = json.loads((tmp_path / "a.geojson").read_text())["features"][0]
    assert feature["geometry"]["plane"]["z"] == 1
    corners = np.concatenate([np.reshape(part, (-1, 2)) for part in _parts(feature)])
    assert corners.min(axis=0).tolist() == [columns.min() + 20, rows.min() + 10]
    assert call("export", labels, "--to", "imagej", "-o", tmp_path / "a.zip").exit_code == 0
    roi = roifile.roiread(tmp_path / "a.zip")[0]
    assert (roi.top, roi.left, roi.position) == (rows.min() + 10, columns.min() + 20, 2)


def _parts(feature: dict) -> list:
    coordinates = feature["geometry"]["coordinates"]
    several = feature["geometry"]["type"] == "MultiPolygon"
    return [part[0] for part in coordinates] if several else [coordinates[0]]


@pytest.mark.parametrize(("kind", "name"), [("ome-tiff", "b.tif"), ("ome-zarr", "b.zarr")])
def test_a_conversion_keeps_the_place(
    call: Call, labels: Path, tmp_path: Path, kind: str, name: str
) -> None:
    assert call("export", labels, "--to", kind, "-o", tmp_path / name).exit_code == 0
    found = read_image(tmp_path / name)
    assert (found.origin, found.full_axes) == ((0, 1, 10, 20), "zyx")
    assert found.position == (0.0, 100.0, -50.0)


def test_a_region_is_scored_in_its_part_of_the_truth(call: Call, tmp_path: Path) -> None:
    truth = np.zeros((40, 50), np.uint16)
    truth[5:15, 5:15], truth[20:30, 25:40] = 1, 2
    write_labels(tmp_path / "truth.tif", truth)
    part = cut(ssp.MicroscopyImage(truth, "yx"), {"y": 18, "x": 20}, {"y": 20, "x": 25})
    write_labels(tmp_path / "found.tif", part)
    words = ("--prediction", tmp_path / "found.tif", "--truth", tmp_path / "truth.tif")
    result = call("evaluate", "segmentation", *words, "--json", "-")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["images"]
    assert (row["true"], row["predicted"], row["f1_0.50"]) == (1, 1, 1.0)
    words = ("--prediction", tmp_path / "truth.tif", "--truth", tmp_path / "found.tif")
    result = call("evaluate", "segmentation", *words, "--json", "-")
    (row,) = json.loads(result.stdout)["images"]
    assert (row["true"], row["predicted"], row["f1_0.50"]) == (1, 1, 1.0)
    words = ("--prediction", tmp_path / "found.tif", "--truth", tmp_path / "truth.tif")
    write_labels(tmp_path / "truth.tif", truth[:30, :30], overwrite=True)
    result = call("evaluate", "segmentation", *words)
    assert "reaches beyond 'truth' along y: it covers 18 to 38 of 30 pixels" in result.stderr


def test_predicted_structures_of_a_part_know_their_place(
    call: Call, tiny_structures: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 60_000, (2, 9, 40, 48)).astype(np.uint16)
    image = ssp.MicroscopyImage(pixels, "tzyx", (0.29, 0.29, 0.29))
    path = write_image(tmp_path / "a.ome.tif", image)
    words = ("--model", tiny_structures, "--task", "dna", "--time", 1, "--z-range", 3, 8)
    words = (*words, "--region", 4, 38, 8, 44)
    for kind in ("tiff", "zarr"):
        result = call("predict", path, "-o", tmp_path, *words, "--format", kind)
        assert result.exit_code == 0, result.output
    ending = "_prediction.ome"
    for found in (read_image(tmp_path / f"a{ending}.{end}") for end in ("tif", "zarr")):
        assert (found.origin, found.full_axes) == ((1, 3, 4, 8), "tzyx")
        assert (found.axes, found.shape) == ("zyx", (5, 34, 36))
        assert found.channel_names == ("dna",)
    truth = tmp_path / "truth.tif"
    write_image(truth, ssp.MicroscopyImage(pixels[1].astype("f4"), "zyx", (0.29,) * 3))
    part = tmp_path / f"a{ending}.tif"
    for found, true in ((part, truth), (truth, part)):
        words = ("--prediction", found, "--truth", true, "--no-normalise")
        result = call("evaluate", "structures", *words)
        assert result.exit_code == 0, result.output


def test_a_part_of_a_part_lies_in_the_full_image(tiny_model: Path, tmp_path: Path) -> None:
    plane = ssp.MicroscopyImage(np.eye(64, dtype="u1"), "yx", SIZE, position=(0.0, 7.0, 8.0))
    part = cut(plane, {"y": 10, "x": 20}, {"y": 50, "x": 40})
    path = write_image(tmp_path / "part.ome.tif", part)
    found = ssp.segment(path, str(tiny_model), region=(5, 45, 10, 40))
    assert (found.origin, found.full_axes) == ((0, 0, 15, 30), "yx")
    assert found.position == (0.0, 7.0, 8.0)
    whole = ssp.segment(path, str(tiny_model))
    assert (whole.origin, whole.full_axes) == ((0, 0, 10, 20), "yx")
    alone = ssp.segment(plane, str(tiny_model))
    assert (alone.origin, alone.full_axes) == ((0, 0, 0, 0), "")
