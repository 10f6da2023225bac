"""Training data and results as version 0.1.0 wrote them."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from readers import prepared_volumes, read_tables, training_set

from napari_ssp import MicroscopyImage, TrainRequest
from napari_ssp.cli import main
from napari_ssp.io import read_scenes
from napari_ssp.service import TrainStructuresRequest, plan_training

if TYPE_CHECKING:
    from conftest import LayOut

RUN = Path("run")


def _discs(seed: int, size: int = 80) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    centres = [(cy, cx) for cy in range(12, size - 8, 20) for cx in range(12, size - 8, 20)]
    for identity, (cy, cx) in enumerate(centres, 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= (4 + (identity + seed) % 4) ** 2] = identity
    return ((labels > 0) * 150 + (y + seed * x) % 16 * 2).astype(np.uint8), labels


def _stack(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    grid = np.indices(shape)
    return (100 + 50 * ((grid[-1] // 4 + grid[-2] // 4 + grid[-3] + seed) % 4)).astype(np.uint16)


def _read(path: Path) -> Any:
    (scene,) = read_scenes(path)
    return scene


def test_a_training_set_of_cells_goes_on_growing(lay_out: LayOut) -> None:
    collected = training_set(lay_out("training/cells") / "training/cells", "cells")
    assert [pair.name for pair in collected.pairs()] == ["first", "second"]
    for number, pair in enumerate(collected.pairs()):
        image, labels = _discs(number)
        labels[:, -10:] = -number
        found, target = _read(pair.image), _read(pair.target)
        np.testing.assert_array_equal(found.image.plane(), image)
        np.testing.assert_array_equal(target.image.plane(), labels)
        assert target.is_labels
        assert found.image.voxel_size[1:] == (0.5, 0.5)
    name = collected.free_name("first")
    assert name == "first-2"
    image, labels = (MicroscopyImage(part, "yx") for part in _discs(2))
    collected.add(name, image, labels)
    plan = plan_training(TrainRequest((collected.folder,), RUN))
    assert plan.training == ("first-2", "first", "second")
    assert plan.strip


def test_a_training_set_of_structures_goes_on_growing(lay_out: LayOut) -> None:
    folder = lay_out("training/tubulin") / "training/tubulin"
    collected = training_set(folder, "structures")
    assert [pair.name for pair in collected.pairs()] == ["far", "near"]
    far = collected.pairs()[0]
    pixels = _stack(1, (16, 32, 64))
    np.testing.assert_array_equal(_read(far.image).image.data, pixels)
    np.testing.assert_array_equal(_read(far.target).image.data, 400 - pixels)
    assert _read(far.image).image.voxel_size == pytest.approx((0.29,) * 3)
    collected.write_target("far", MicroscopyImage(pixels, "zyx"))
    np.testing.assert_array_equal(_read(far.target).image.data, pixels)
    plan = plan_training(TrainStructuresRequest((folder,), RUN))
    assert plan.training == ("far", "near")
    assert "2 stacks of tubulin" in plan.summary


def test_tables_of_pairs_are_read(lay_out: LayOut) -> None:
    root = lay_out("training", "tables")
    plan = plan_training(TrainRequest((root / "tables/cells.csv",), RUN))
    assert (plan.training, plan.validation) == (("first",), ("second",))
    request = TrainStructuresRequest((root / "tables/structures.csv",), RUN)
    planned = plan_training(request)
    assert (planned.training, planned.validation) == (("near",), ("far",))


def test_prepared_stacks_are_read(lay_out: LayOut) -> None:
    folder = lay_out("prepared") / "prepared"
    prepared = prepared_volumes(folder)
    assert prepared.settings == {
        "zoom": [1.0, 0.5, 0.5],
        "dtype": "float16",
        "seed": 42,
        "voxel_size": [0.29, 0.2, 0.2],
    }
    assert prepared.tasks == ("dna", "lamin_b1")
    counts = [len(prepared.split(name)) for name in ("train", "val", "test")]
    assert counts == [8, 2, 4]
    pair = prepared.split("train")[0]
    assert (pair.task, pair.name, pair.shape) == ("dna", "0", (3, 8, 8))
    assert pair.target_statistics == pytest.approx((175.0, 55.90169943749474))
    whole = (slice(None),) * 3
    for crop in (pair.signal(whole), pair.target(whole)):
        assert (crop.dtype, crop.shape) == (np.float32, (3, 8, 8))
        assert abs(crop.mean()) < 0.2
        assert 0.8 < crop.std() < 1.2
    rows = read_tables(folder / "splits/lamin_b1")
    assert {name: len(part) for name, part in rows.items()} == {"train": 4, "val": 1, "test": 2}
    planned = plan_training(TrainStructuresRequest((folder,), RUN))
    assert (len(planned.training), len(planned.validation)) == (8, 2)


def test_what_was_prepared_is_not_prepared_again(lay_out: LayOut) -> None:
    root = lay_out("prepared", "collection")
    index = (root / "prepared/prepared.json").read_bytes()
    tables = read_tables(root / "collection/tables")
    assert [astuple(row) for row in tables["dna"][:2]] == [
        ("data/lamin_b1/0.ome.tif", 2, 1),
        ("data/lamin_b1/1.ome.tif", 2, 1),
    ]
    words = "data prepare structures --csv collection/tables --images collection/images"
    words += " -o prepared --zoom 1 0.5 0.5 --json report.json"
    done = CliRunner().invoke(main, words.split(), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads(Path("report.json").read_text())
    assert (report["made"], report["kept"]) == (0, 21)
    assert (root / "prepared/prepared.json").read_bytes() == index


@pytest.mark.parametrize("name", ["cells_found.tiff", "cells.zarr"])
def test_labels_are_known_again(lay_out: LayOut, name: str) -> None:
    scene = _read(lay_out("results") / "results" / name)
    assert scene.is_labels
    assert (scene.image.axes, scene.image.voxel_size[1:]) == ("yx", (0.5, 0.25))
    np.testing.assert_array_equal(scene.image.plane(), _discs(0)[1])


@pytest.mark.parametrize("name", ["stack.ome.tif", "stack.ome.zarr"])
def test_stacks_are_read_with_axes_sizes_and_names(lay_out: LayOut, name: str) -> None:
    scenes = read_scenes(lay_out("results") / "results" / name)
    image = scenes[0].image
    assert not scenes[0].is_labels
    assert (image.axes, image.voxel_size) == ("czyx", (2.0, 0.5, 0.25))
    assert image.channel_names == ("signal", "dna µ")
    pixels = _stack(0, (2, 3, 32, 32))
    np.testing.assert_array_equal(np.asarray(image.data), pixels)


def test_labels_inside_an_image_are_read(lay_out: LayOut) -> None:
    scene = _read(lay_out("results") / "results/stack.ome.zarr/labels/cells")
    assert scene.is_labels
    np.testing.assert_array_equal(np.asarray(scene.image.data), _stack(0, (2, 3, 32, 32))[0] // 50)


def test_colours_are_colours(lay_out: LayOut) -> None:
    scene = _read(lay_out("results") / "results/colours.zarr")
    assert scene.image.rgb
    colours = np.stack([_discs(k)[0][:40, :40] for k in range(3)], axis=-1)
    np.testing.assert_array_equal(scene.image.plane(), colours)


def test_a_prediction_is_read_by_the_names_of_its_structures(lay_out: LayOut) -> None:
    scene = _read(lay_out("results") / "results/stack_prediction.ome.tif")
    assert scene.image.channel_names == ("dna",)
    assert scene.image.sizes["y"] == 16
    assert scene.image.dtype == np.float32
