"""The folder that annotations go to, as files that anybody can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image
from napari_ssp.service.annotation.training_set import TrainingSet

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (1.0, 0.5, 0.25)


def _image(name: str = "a") -> MicroscopyImage:
    pixels = np.arange(6 * 8, dtype=np.uint16).reshape(6, 8)
    return MicroscopyImage(pixels, "yx", SIZE, name=name)


def _labels(*values: int) -> MicroscopyImage:
    labels = np.zeros((6, 8), np.int64)
    labels.flat[: len(values)] = values
    return MicroscopyImage(labels, "yx", SIZE)


def test_what_was_added_is_read_back(tmp_path: Path) -> None:
    found = TrainingSet(tmp_path / "set")
    pair = found.add("a", _image(), _labels(1, 2))
    assert pair.image == tmp_path / "set" / "images" / "a.tif"
    assert pair.target == tmp_path / "set" / "labels" / "a_label.tif"
    assert TrainingSet(tmp_path / "set").pairs() == (pair,)
    image, labels = read_image(pair.image), read_image(pair.target)
    np.testing.assert_array_equal(image.plane(), _image().data)
    np.testing.assert_array_equal(labels.plane(), _labels(1, 2).data)
    assert labels.dtype == np.uint16
    assert image.voxel_size == labels.voxel_size == pytest.approx(SIZE)


def test_pixels_that_nobody_annotated_stay_below_zero(tmp_path: Path) -> None:
    found = TrainingSet(tmp_path)
    pair = found.add("a", _image(), _labels(-1, -1, 70_000))
    labels = read_image(pair.target)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels.plane(), _labels(-1, -1, 70_000).data)


def test_colours_and_stacks_are_kept(tmp_path: Path) -> None:
    colours = MicroscopyImage(np.full((6, 8, 3), 9, np.uint8), "yxc", rgb=True)
    pair = TrainingSet(tmp_path / "cells").add("a", colours, _labels(1))
    assert read_image(pair.image).plane().shape == (6, 8, 3)
    stack = MicroscopyImage(np.random.default_rng(0).random((3, 6, 8)).astype("f4"), "zyx", SIZE)
    for name, target in (("a", stack), ("flat", _image())):
        pair = TrainingSet(tmp_path / "dna", "structures").add(name, stack, target)
        assert pair.target == tmp_path / "dna" / "target" / f"{name}.tif"
        np.testing.assert_array_equal(np.asarray(read_image(pair.image).data), stack.data)
        np.testing.assert_array_equal(np.asarray(read_image(pair.target).data), target.data)


def test_labels_are_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    found = TrainingSet(tmp_path)
    pair = found.add("a", _image(), _labels(1))
    other = found.add("b", _image(), _labels(7))
    before = pair.image.read_bytes(), other.target.read_bytes()
    found.write_target("a", _labels(5, -1))
    assert read_image(pair.target).plane().flat[:2].tolist() == [5, -1]
    assert (pair.image.read_bytes(), other.target.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.rglob("*.tif")) == [
        "a.tif",
        "a_label.tif",
        "b.tif",
        "b_label.tif",
    ]


def test_a_failed_write_leaves_the_labels_before(tmp_path: Path) -> None:
    found = TrainingSet(tmp_path)
    pair = found.add("a", _image(), _labels(1))
    before = pair.target.read_bytes()
    with pytest.raises(ValueError, match=r"4294967296.*Renumber"):
        found.write_target("a", _labels(-1, 2**32))
    assert pair.target.read_bytes() == before
    assert len(list(pair.target.parent.iterdir())) == 1


def test_an_image_without_labels_is_no_pair_and_its_name_is_taken(tmp_path: Path) -> None:
    found = TrainingSet(tmp_path)
    assert found.pairs() == ()
    pair = found.add("a", _image(), _labels(1))
    pair.target.unlink()
    (tmp_path / "images" / "Thumbs.db").touch()
    assert found.pairs() == ()
    assert found.free_name("a") == "a-2"
    assert found.free_name("A") == "A-2", "some systems do not tell upper from lower case"
    with pytest.raises(FileExistsError, match="'a' is in"):
        found.add("a", _image(), _labels(1))
    with pytest.raises(FileNotFoundError, match="Add it again"):
        found.write_target("a", _labels(1))


@given(st.text(max_size=300))
def test_any_layer_name_becomes_a_file_name(name: str) -> None:
    clean = TrainingSet("nowhere").free_name(name)  # type: ignore[arg-type]
    assert clean
    assert not set(clean) & set('/\\:*?"<>| \n\0')
    assert not clean.startswith(".")
    assert len(clean) <= 80


def test_other_sizes_and_kinds_are_refused(tmp_path: Path) -> None:
    small = MicroscopyImage(np.zeros((6, 7), int), "yx", name="small")
    with pytest.raises(ValueError, match=r"'a' is 6 \(y\) × 8 \(x\) and 'small' is 6 \(y\) × 7"):
        TrainingSet(tmp_path).add("a", _image(), small)
    with pytest.raises(ValueError, match="cells or structures, got 'mice'"):
        TrainingSet(tmp_path, "mice")
    assert not list(tmp_path.iterdir())
