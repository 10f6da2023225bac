"""Label images as programs leave them: floats of Fiji, masks, -1 for what nobody annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import (
    as_labels,
    number_mask,
    read_label_image,
    read_scenes,
    write_image,
    write_labels,
)
from napari_ssp.io.label_images import LabelFacts, look_at_labels
from napari_ssp.io.napari_reader import get_reader
from napari_ssp.io.tiff.reading import read_tiff

if TYPE_CHECKING:
    from pathlib import Path

LABELS = np.zeros((20, 30), np.uint16)
LABELS[1:4, 1:5], LABELS[8:11, 2:9], LABELS[14:18, 20:25] = 1, 2, 300
MASK = LABELS > 0


def read_layer(path: Path) -> tuple[np.ndarray, str]:
    reader = get_reader(str(path))
    assert reader is not None
    ((data, _, kind),) = reader(str(path))
    return data, kind


@pytest.mark.parametrize("name", ["a_label", "a_masks", "a_cp_masks", "a_MASK", "a_seg", "a-lbl"])
def test_whole_floats_named_as_labels_are_labels(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.tif"
    tifffile.imwrite(path, LABELS.astype(np.float32), imagej=True)
    data, kind = read_layer(path)
    assert (data.dtype, kind) == (np.int32, "labels")
    np.testing.assert_array_equal(data, LABELS)


def test_floats_that_are_not_whole_stay_an_image(tmp_path: Path) -> None:
    path = tmp_path / "probability_mask.tif"
    tifffile.imwrite(path, LABELS.astype(np.float32) / 3)
    data, kind = read_layer(path)
    assert (data.dtype, kind) == (np.float32, "image")


def test_large_floats_are_converted_where_they_are_read(tmp_path: Path) -> None:
    path, values = tmp_path / "a_label.tif", np.stack([LABELS, LABELS]).astype(np.float32)
    tifffile.imwrite(path, values)
    (scene,) = read_tiff(path, eager_bytes=0)
    assert scene.is_labels
    assert scene.image.dtype == np.int32
    np.testing.assert_array_equal(scene.image.plane(z=1), LABELS)
    values[1, 0, 0] = 0.5
    tifffile.imwrite(path, values)
    (scene,) = read_tiff(path, eager_bytes=0)
    with pytest.raises(TypeError, match=r"of these one is 0.5"):
        scene.image.plane(z=1)


def test_a_mask_named_as_labels_opens_as_labels(tmp_path: Path) -> None:
    path = tmp_path / "a_masks.tif"
    tifffile.imwrite(path, MASK)
    data, kind = read_layer(path)
    assert (data.dtype, kind) == (np.bool_, "labels")
    tifffile.imwrite(tmp_path / "a.tif", MASK)
    assert not read_scenes(tmp_path / "a.tif")[0].is_labels


def test_what_is_not_annotated_is_left_out_and_said() -> None:
    signed = LABELS.astype(np.int32)
    signed[:, :10] = -1
    found = as_labels(MicroscopyImage(signed, "yx"), "file a.tif")
    assert found.warnings == (
        "The file a.tif: 200 pixels are -1, not annotated; they are left out.",
    )
    np.testing.assert_array_equal(found.data, np.maximum(signed, 0))
    signed[0, 0] = -2
    with pytest.raises(ValueError, match=r"The file a.tif holds the negative label -2"):
        as_labels(MicroscopyImage(signed, "yx"), "file a.tif")


def test_a_mask_is_refused_or_numbered() -> None:
    image = MicroscopyImage(MASK, "yx", (1, 0.5, 0.5))
    with pytest.raises(TypeError, match=r"The file has dtype bool.*--number-parts"):
        as_labels(image, "file")
    found = as_labels(number_mask(image, "file"), "file")
    np.testing.assert_array_equal(found.data > 0, MASK)
    assert np.unique(found.data).tolist() == [0, 1, 2, 3]
    assert (found.voxel_size, found.warnings) == ((1, 0.5, 0.5), ())


@pytest.mark.parametrize("dtype", ["u1", "i4", "f4"])
def test_one_number_for_several_parts_is_said(dtype: str) -> None:
    mask = MicroscopyImage((255 * MASK).astype("u1").astype(dtype), "yx")
    (warning,) = as_labels(mask, "file").warnings
    assert "one number for 3 separate parts: a mask?" in warning
    numbered = number_mask(mask, "file")
    assert as_labels(numbered, "file").warnings == ()
    assert np.unique(numbered.data).tolist() == [0, 1, 2, 3]


def test_parts_of_stacks_and_movies() -> None:
    ball = np.zeros((3, 6, 6), bool)
    ball[:, 1, 1], ball[1:, 4, 4] = True, True
    stack = number_mask(MicroscopyImage(ball, "zyx"), "file")
    assert [np.unique(plane).tolist() for plane in stack.data] == [[0, 1], [0, 1, 2], [0, 1, 2]]
    movie = number_mask(MicroscopyImage(ball.transpose(1, 2, 0), "yxt"), "file")
    assert movie.axes == "tyx"
    assert [np.unique(frame).tolist() for frame in movie.data] == [[0, 1], [0, 2, 3], [0, 4, 5]]
    neuron = np.zeros((2, 6, 6), np.uint8)  # one object whose plane has two parts
    neuron[0, 1, 1:5], neuron[1, 1, 1], neuron[1, 1, 4] = 9, 9, 9
    assert look_at_labels(MicroscopyImage(neuron, "zyx"), "file") == LabelFacts(0, 1)


def test_labels_are_read_only_until_objects_differ() -> None:
    class Plane:
        shape, dtype, ndim = (3, 20, 30), np.dtype(np.uint16), 3

        def __getitem__(self, key: tuple[int | slice, ...]) -> np.ndarray:
            assert key[0] == 0, "objects of the first plane differ already"
            return LABELS[key[1:]]

    assert look_at_labels(MicroscopyImage(Plane(), "zyx"), "file") == LabelFacts()


def test_colours_are_no_labels() -> None:
    grey = MicroscopyImage(np.repeat(LABELS[..., None], 3, axis=2), "yxc", rgb=True)
    with pytest.raises(ValueError, match=r"three colours are the same everywhere: save one"):
        as_labels(grey, "file")
    coloured = MicroscopyImage(grey.data * np.array([1, 2, 3], np.uint16), "yxc", rgb=True)
    with pytest.raises(ValueError, match=r"is a colour image \(shape \(20, 30, 3\)\), not a label"):
        as_labels(coloured, "file")


def test_numbers_beyond_32_bits_stay_what_they_are() -> None:
    large = LABELS.astype(np.uint64) * 2**40
    found = as_labels(MicroscopyImage(large, "yx"), "file")
    np.testing.assert_array_equal(found.data, large)


def test_whole_floats_are_written_as_labels(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.tif", LABELS.astype(np.float32))
    found = read_label_image(path)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found.data, LABELS)


def test_a_jpeg_holds_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a_mask.jpg"
    path.write_bytes(imagecodecs.jpeg_encode((255 * MASK).astype(np.uint8)))
    with pytest.raises(ValueError, match=r"is a JPEG, which changes numbers"):
        read_label_image(path)


def test_pngs_named_as_labels_open_as_labels(tmp_path: Path) -> None:
    for name in ("a_label.png", "a_cp_masks.png", "a_mask.png"):
        (tmp_path / name).write_bytes(imagecodecs.png_encode(LABELS))
        assert read_layer(tmp_path / name)[1] == "labels"
    assert get_reader(str(tmp_path / "a.png")) is None


def test_whole_floats_in_the_labels_of_a_zarr(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.ome.zarr", MicroscopyImage(LABELS + np.uint16(7), "yx"))
    labels = write_labels(image / "labels" / "cells", LABELS)
    array = zarr.open_group(labels, mode="a")
    array["0"] = LABELS.astype(np.float32)
    found = read_label_image(image)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found.plane(), LABELS)
