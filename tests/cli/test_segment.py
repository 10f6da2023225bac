from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from skimage import data

import napari_ssp as ssp
from napari_ssp.io import read_image, write_image
from napari_ssp.registry import find_card, load_model, save_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    iio.imwrite(folder / "coins.png", data.coins()[:70, :80])
    image = ssp.MicroscopyImage(data.coins()[:60, :64], "yx", (1.0, 0.5, 0.5))
    write_image(folder / "scaled.ome.tif", image)
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_a_folder_becomes_label_images_with_their_scale(
    call: Call, images: Path, finding_model: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    words = ("--model", finding_model, "--flow-threshold", 0, "--json", report)
    result = call("segment", images, "-o", out, *words)
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in out.iterdir())
    assert names == ["coins_label.tiff", "scaled_label.tiff"]
    labels = read_image(out / "scaled_label.tiff")
    assert labels.voxel_size == (1.0, 0.5, 0.5)
    direct = ssp.segment(data.coins()[:60, :64], str(finding_model), flow_threshold=0.0)
    assert direct.num_objects > 2
    np.testing.assert_array_equal(labels.data, direct.labels)
    rows = json.loads(report.read_text())["images"]
    assert [row["objects"] for row in rows][1] == direct.num_objects
    assert rows[0]["provenance"]["model"]["name"] == "finds"


def test_flows_are_saved_beside(call: Call, images: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("segment", images / "coins.png", "-o", out, "--model", tiny_model, "--save-flows")
    assert call(*words).exit_code == 0
    flows = read_image(out / "coins_flows.tiff")
    assert flows.axes == "cyx"
    assert flows.channel_names == ("flow_y", "flow_x", "cell_probability")


def test_a_stack_goes_to_ome_zarr_in_linked_blocks(
    call: Call, finding_model: Path, tmp_path: Path
) -> None:
    stack = np.stack([data.coins()[:90, :140], data.coins()[2:92, :140]])
    image = tmp_path / "stack.ome.tif"
    write_image(image, ssp.MicroscopyImage(stack, "zyx", (2.0, 0.5, 0.5)))
    options = {"stacks": "linked", "tile": 64, "flow_threshold": 0.0}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    out = tmp_path / "out"
    words += ["-o", str(out), "--model", str(finding_model), "--format", "zarr", "--save-flows"]
    result = call("segment", image, *words)
    assert result.exit_code == 0, result.output
    labels = read_image(out / "stack_label.zarr")
    direct = ssp.segment(image, str(finding_model), **options)
    assert direct.num_objects > 2
    assert labels.axes == "zyx"
    assert labels.voxel_size == (2.0, 0.5, 0.5)
    np.testing.assert_array_equal(labels.data, direct.labels)
    flows = read_image(out / "stack_flows.zarr")
    assert flows.channel_names == ("flow_y", "flow_x", "cell_probability")
    np.testing.assert_array_equal(flows.plane(z=1, channel=2), direct.cell_probability[1])


def test_a_plane_and_a_region_of_a_stack(call: Call, finding_model: Path, tmp_path: Path) -> None:
    stack = np.stack([data.coins()[:90, :140], data.coins()[90:180, :140]])
    image = tmp_path / "stack.ome.tif"
    write_image(image, ssp.MicroscopyImage(stack, "zyx"))
    words = ("-o", tmp_path / "out", "--model", finding_model, "--plane", 0, 1)
    words = (*words, "--region", 10, 74, -5, 64, "--flow-threshold", 0)
    result = call("segment", image, *words)
    assert result.exit_code == 0, result.output
    options = {"region": (10, 74, 0, 64), "flow_threshold": 0.0}
    direct = ssp.segment(stack[1], str(finding_model), **options)
    assert direct.num_objects > 2
    found = read_image(tmp_path / "out" / "stack_label.tiff")
    np.testing.assert_array_equal(found.data, direct.labels)
    missing = call("segment", image, *words, "--plane", 0, 7, "--overwrite")
    assert missing.exit_code == 1
    assert "2 z-planes" in missing.stderr


def test_outputs_that_exist_are_kept(
    call: Call, images: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("segment", images / "coins.png", "-o", out, "--model", tiny_model)
    assert call(*words).exit_code == 0
    before = (out / "coins_label.tiff").read_bytes()
    refused = call(*words)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert (out / "coins_label.tiff").read_bytes() == before
    assert call(*words, "--overwrite").exit_code == 0


def test_bad_files_do_not_stop_the_others(
    call: Call, images: Path, tiny_model: Path, tmp_path: Path
) -> None:
    good = (images / "scaled.ome.tif").read_bytes()
    (images / "cut.tif").write_bytes(good[: len(good) // 2])
    (images / "text.tif").write_text("no image at all")
    tifffile.imwrite(images / "many.tif", np.zeros((2, 2, 2, 2, 8, 8), np.uint8))
    out = tmp_path / "out"
    result = call("segment", images, "-o", out, "--model", tiny_model)
    assert result.exit_code == 1
    assert sorted(path.name for path in out.iterdir()) == ["coins_label.tiff", "scaled_label.tiff"]
    for name in ("cut.tif", "text.tif", "many.tif"):
        assert f"Error: {images / name}" in result.stderr
    assert "Traceback" not in result.output + result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.png"], "missing.png"),
        (["--model", "mediar-startr"], "Did you mean mediar-starter"),
        (["--cell-threshold", "7"], "7"),
        (["--compute", "moon"], "moon"),
        (["--format", "doc"], "doc"),
        (["--stacks", "cubes"], "planes, linked, volume"),
        (["--normalise", "columns"], "auto, image, region"),
        (["--tile", "9"], "9"),
        (["--voxel-size", "0", "1", "1"], "three positive numbers"),
        (["-o", "images/coins.png/out"], "cannot be made: Not a directory"),
    ],
)
def test_bad_use_ends_with_2_before_any_work(
    call: Call,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("segment", images / "coins.png", "-o", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_two_images_of_one_name_are_refused(call: Call, images: Path, tmp_path: Path) -> None:
    iio.imwrite(images / "coins.tif", data.coins())
    result = call("segment", images, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "coins_label.tiff" in result.stderr


def test_a_report_without_a_folder_is_refused_before_the_work(
    call: Call, images: Path, tmp_path: Path
) -> None:
    words = ("segment", images / "coins.png", "-o", tmp_path / "out")
    result = call(*words, "--json", tmp_path / "nowhere" / "report.json")
    assert result.exit_code == 2
    assert f"The folder '{tmp_path / 'nowhere'}' does not exist" in result.stderr
    assert not list((tmp_path / "out").iterdir())


def test_results_never_replace_an_image_that_is_read(
    call: Call, images: Path, tiny_model: Path
) -> None:
    drawn = images / "coins_label.tiff"
    tifffile.imwrite(drawn, np.ones((70, 80), np.uint8))
    before = drawn.read_bytes()
    result = call("segment", images, "-o", images, "--model", tiny_model, "--overwrite")
    assert result.exit_code == 2
    assert f"over what is read: {drawn}. " in " ".join(result.stderr.split())
    assert drawn.read_bytes() == before


def test_a_folder_without_images_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = call("segment", tmp_path / "empty", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "holds no images" in result.stderr


def test_an_absent_device_fails_the_job(
    call: Call, images: Path, tiny_model: Path, tmp_path: Path
) -> None:
    words = ("--model", tiny_model, "--device", "cuda:9")
    result = call("segment", images / "coins.png", "-o", tmp_path / "out", *words)
    assert result.exit_code == 1
    assert "cuda:9" in result.stderr


def test_the_installed_program_answers() -> None:
    code = [sys.executable, "-m", "napari_ssp.cli"]
    done = subprocess.run([*code, "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == f"napari-ssp, version {ssp.__version__}"
    assert subprocess.run([*code, "segment"], capture_output=True, timeout=60).returncode == 2


def test_a_diameter_in_microns_needs_a_voxel_size(
    call: Call, images: Path, tiny_model: Path, tmp_path: Path
) -> None:
    card = replace(find_card(tiny_model), object_diameter=16.0)
    model = save_model(load_model(tiny_model), card, tmp_path / "sized").weights.parent
    out, report = tmp_path / "out", tmp_path / "report.json"
    words = ("segment", images, "-o", out, "--model", model, "--json", report)
    result = call(*words, "--diameter-um", "4")
    assert result.exit_code == 1
    assert "'coins' has no voxel size, so 4 µm are an unknown number" in result.output
    rows = json.loads(report.read_text())["images"]
    assert rows[1]["provenance"]["request"]["diameter"] == 8.0
    result = call(*words, "--diameter-um", "4", "--diameter", "9")
    assert result.exit_code == 2
    assert "Give one of --diameter, --diameter-um" in result.output


def test_the_diameter_can_be_estimated(call: Call, images: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    words = ("segment", images / "coins.png", "-o", out, "--json", report, "--estimate-diameter")
    result = call(*words)
    assert result.exit_code == 0, result.output
    row = json.loads(report.read_text())["images"][0]
    assert 20 < row["provenance"]["request"]["diameter"] < 70
