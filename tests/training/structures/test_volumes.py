"""Prepared stacks: what is written is read back, crop by crop, and only when it is complete."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.training.structures.volumes import (
    PreparedPair,
    PreparedVolumes,
    volume_attributes,
    volume_path,
    write_index,
    write_volume,
)

if TYPE_CHECKING:
    from pathlib import Path


SHAPE = (40, 70, 66)


@pytest.fixture(scope="module")
def stacks() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    signal, target = (rng.standard_normal(SHAPE).astype(np.float32) for _ in range(2))
    return signal, target


@pytest.fixture
def folder(tmp_path: Path, stacks: tuple[np.ndarray, np.ndarray]) -> Path:
    for key, values in zip(("s", "t"), stacks, strict=True):
        write_volume(tmp_path, key, values, "float32", {"mean": 3.0})
    pairs = [
        PreparedPair(task, split, f"{task}_{split}", SHAPE, (3.0, 2.0), "s", "t")
        for task in ("lamin_b1", "dna")
        for split in ("train", "val")
    ]
    write_index(tmp_path, {"factors": [1, 0.5, 0.5]}, pairs)
    return tmp_path


def test_pairs_by_split(folder: Path) -> None:
    prepared = PreparedVolumes(folder)
    assert prepared.tasks == ("dna", "lamin_b1")
    assert prepared.settings == {"factors": [1, 0.5, 0.5]}
    assert [pair.name for pair in prepared.split("train")] == ["lamin_b1_train", "dna_train"]
    assert prepared.split("test") == []
    assert prepared.split("val")[0].target_statistics == (3.0, 2.0)
    with pytest.raises(ValueError, match="no split 'valid'"):
        prepared.split("valid")


@pytest.mark.parametrize(
    "box",
    [
        (slice(None), slice(None), slice(None)),
        (slice(3, 35), slice(5, 69), slice(1, 65)),
        (slice(39, 40), slice(60, 99), slice(0, 1)),
    ],
)
def test_crops_are_those_of_the_stack(
    folder: Path, stacks: tuple[np.ndarray, np.ndarray], box: tuple[slice, slice, slice]
) -> None:
    pair = PreparedVolumes(folder).pairs[0]
    again = pickle.loads(pickle.dumps(pair))
    for one in (pair, again):
        assert one.signal(box).dtype == np.float32
        np.testing.assert_array_equal(one.signal(box), stacks[0][box])
        np.testing.assert_array_equal(one.target(box), stacks[1][box])


def test_half_precision_is_good_to_a_tenth_of_a_per_cent(tmp_path: Path) -> None:
    values = np.linspace(-30, 300, 3 * 5 * 7, dtype=np.float32).reshape(3, 5, 7)
    write_volume(tmp_path, "a", values, "float16", {"std": 2.5})
    pair = PreparedPair("dna", "train", "a", (3, 5, 7), (0.0, 1.0), "a", "a", tmp_path)
    crop = pair.signal((slice(None),) * 3)
    np.testing.assert_allclose(crop, values, rtol=1e-3)
    assert volume_attributes(tmp_path, "a") == {"std": 2.5, "shape": (3, 5, 7)}


def test_a_volume_is_one_file_and_leaves_no_other(folder: Path) -> None:
    files = [path for path in volume_path(folder, "s").rglob("*") if path.is_file()]
    assert len(files) == 2  # the shard and zarr.json
    assert {path.name for path in volume_path(folder, "s").parent.iterdir()} == {"s.zarr", "t.zarr"}


def test_an_interrupted_volume_is_not_there(
    tmp_path: Path, stacks: tuple[np.ndarray, np.ndarray]
) -> None:
    with pytest.raises(TypeError):
        write_volume(tmp_path, "a", stacks[0], "float32", {"mean": object()})
    assert not volume_path(tmp_path, "a").exists()
    assert not [path for path in tmp_path.rglob("*") if path.name != "volumes"]


def test_unprepared_folders_are_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not prepared, or not to the end"):
        PreparedVolumes(tmp_path / "nowhere")
    volume_path(folder, "t").rename(folder / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"1 of 2 arrays are missing .*t\.zarr"):
        PreparedVolumes(folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1}', '{"version": 9, "pairs": []}'])
def test_broken_indices_are_refused(folder: Path, text: str) -> None:
    (folder / "prepared.json").write_text(text)
    with pytest.raises(ValueError, match="cannot be read"):
        PreparedVolumes(folder)


def test_unknown_fields_of_later_versions_are_left_out(folder: Path) -> None:
    path = folder / "prepared.json"
    content = json.loads(path.read_text())
    content["pairs"][0]["later"] = 1
    path.write_text(json.dumps(content))
    assert len(PreparedVolumes(folder).pairs) == 4
