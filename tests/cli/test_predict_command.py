from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.io import read_image, write_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shape in [("a", (5, 40, 48)), ("b", (17, 20, 30))]:
        data = rng.integers(0, 60_000, shape).astype(np.uint16)
        write_image(
            folder / f"{name}.ome.tif", ssp.MicroscopyImage(data, "zyx", (0.29, 0.29, 0.29))
        )
    return folder


def test_stacks_become_channels_with_names_and_scale(
    call: Call, stacks: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.json"
    words = ("--task", "nucleoli", "--task", "dna", "--model", tiny_structures)
    result = call("predict", stacks, "-o", out, *words, "--json", report)
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in out.iterdir()) == [
        "a_prediction.ome.tif",
        "b_prediction.ome.tif",
    ]
    image = read_image(out / "b_prediction.ome.tif")
    assert (image.axes, image.shape) == ("czyx", (2, 17, 20, 30))
    assert image.channel_names == ("nucleoli", "dna")
    assert image.voxel_size == (0.29, 0.29, 0.29)
    direct = ssp.predict_structures(stacks / "b.ome.tif", ["dna"], str(tiny_structures))
    np.testing.assert_array_equal(np.asarray(image.data)[1], direct["dna"])
    rows = json.loads(report.read_text())["images"]
    assert rows[0]["tasks"] == ["nucleoli", "dna"]
    assert rows[0]["provenance"]["model"]["name"] == "tiny-structures"


def test_without_a_task_all_are_predicted(
    call: Call, stacks: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert (
        call("predict", stacks / "a.ome.tif", "-o", out, "--model", tiny_structures).exit_code == 0
    )
    image = read_image(out / "a_prediction.ome.tif")
    assert image.channel_names == ("dna", "lamin_b1", "nucleoli")


def test_zarr_holds_the_same_values(
    call: Call, stacks: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    words = ("predict", stacks / "a.ome.tif", "-o", tmp_path, "--model", tiny_structures)
    assert call(*words).exit_code == 0
    result = call(*words, "--format", "zarr")
    assert result.exit_code == 0, result.output
    tiff = read_image(tmp_path / "a_prediction.ome.tif")
    zarr = read_image(tmp_path / "a_prediction.ome.zarr")
    assert (zarr.axes, zarr.channel_names) == (tiff.axes, tiff.channel_names)
    assert zarr.voxel_size == pytest.approx(tiff.voxel_size)
    np.testing.assert_array_equal(np.asarray(zarr.data), np.asarray(tiff.data))


def test_bad_use_ends_with_code_2_and_writes_nothing(
    call: Call, stacks: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("predict", stacks, "-o", out, "--model", tiny_structures)
    unknown = call(*words, "--task", "dnaa")
    assert unknown.exit_code == 2
    assert "Did you mean dna" in unknown.output
    assert call(*words, "--precision", "float8").exit_code != 0
    segmenting = call("predict", stacks, "-o", out, "--model", "mediar-starter", "--task", "dna")
    assert segmenting.exit_code == 2
    assert "'mediar-starter' segments cells" in segmenting.stderr
    assert not out.exists() or not list(out.iterdir())


def test_a_failed_stack_does_not_stop_the_others(
    call: Call, stacks: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    write_image(stacks / "aa.ome.tif", ssp.MicroscopyImage(np.ones((9, 9), np.uint8), "yx"))
    out = tmp_path / "out"
    result = call("predict", stacks, "-o", out, "--task", "dna", "--model", tiny_structures)
    assert result.exit_code == 1
    assert "aa.ome.tif" in result.output
    assert "no z" in result.output
    assert len(list(out.iterdir())) == 2


def test_existing_outputs_are_kept(
    call: Call, stacks: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    words = ("predict", stacks / "a.ome.tif", "-o", tmp_path, "--model", tiny_structures)
    assert call(*words, "--task", "dna").exit_code == 0
    before = (tmp_path / "a_prediction.ome.tif").read_bytes()
    assert call(*words, "--task", "nucleoli").exit_code == 2
    assert (tmp_path / "a_prediction.ome.tif").read_bytes() == before
    assert call(*words, "--task", "nucleoli", "--overwrite").exit_code == 0
    assert (tmp_path / "a_prediction.ome.tif").read_bytes() != before
