from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image, write_labels
from napari_ssp.text import printable

AXES = ["yx", "zyx", "cyx", "tyx", "czyx", "tzyx", "tczyx", "zcyx", "yxc", "xy", "xzyct"]
DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", "f2", ">u2", ">f4"]
SIZES = st.none() | st.tuples(*[st.floats(0.3, 3.0)] * 3)


def in_standard_order(image: MicroscopyImage) -> np.ndarray:
    """The pixels as t, c, z, y, x or, for colours, as t, z, y, x, c; axes of length 1 dropped."""
    order = [a for a in ("tzyxc" if image.rgb else "tczyx") if a in image.axes]
    moved = np.asarray(image.data).transpose([image.axes.index(a) for a in order])
    long = [n for a, n in zip(order, moved.shape, strict=True) if n > 1 or a in "yx"]
    return moved.reshape(long)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(AXES), st.sampled_from(DTYPES), SIZES)
def test_an_image_survives_the_round_trip(
    data: st.DataObject, axes: str, dtype: str, size: tuple[float, float, float] | None
) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=len(axes), max_dims=len(axes), max_side=5))
    pixels = data.draw(hnp.arrays(np.dtype(dtype), shape))
    image = MicroscopyImage(pixels, axes, size)
    with tempfile.TemporaryDirectory() as folder:
        path = write_image(Path(folder) / "image.ome.tif", image)
        back = read_image(path)
    expected = np.dtype("f4") if dtype == "f2" else np.dtype(dtype).newbyteorder("=")
    assert back.dtype == expected
    np.testing.assert_array_equal(in_standard_order(back), in_standard_order(image))
    long = {a for a, n in image.sizes.items() if n > 1} | {"y", "x"}
    assert set(back.axes) == long
    assert back.voxel_size == (None if size is None else pytest.approx(size))


@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from(["yxc", "zyxc", "tzyxc"]), st.sampled_from(["u1", "u2", "f4"]))
def test_colours_survive_the_round_trip(data: st.DataObject, axes: str, dtype: str) -> None:
    shape = (*data.draw(st.tuples(*[st.integers(1, 4)] * (len(axes) - 1))), 3)
    shape = (*shape[:-1], data.draw(st.sampled_from([3, 4])))
    image = MicroscopyImage(data.draw(hnp.arrays(np.dtype(dtype), shape)), axes, rgb=True)
    with tempfile.TemporaryDirectory() as folder:
        back = read_image(write_image(Path(folder) / "image.tif", image))
    assert back.rgb
    assert back.axes.endswith("yxc")
    np.testing.assert_array_equal(in_standard_order(back), in_standard_order(image))


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(["yx", "zyx", "tyx", "tzyx"]), st.sampled_from([2**16, 2**32]))
def test_labels_survive_the_round_trip(data: st.DataObject, axes: str, limit: int) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=len(axes), max_dims=len(axes), max_side=4))
    labels = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, limit - 1)))
    with tempfile.TemporaryDirectory() as folder:
        path = write_labels(Path(folder) / "x.tif", labels, axes=axes, voxel_size=(2, 0.5, 0.25))
        back = read_image(path)
    assert back.dtype == (np.uint16 if labels.max() < 2**16 else np.uint32)
    assert back.voxel_size == (2, 0.5, 0.25)
    np.testing.assert_array_equal(in_standard_order(back), labels.reshape(back.shape))


def test_names_of_channels_and_units_are_in_the_file(tmp_path: Path) -> None:
    image = MicroscopyImage(
        np.zeros((2, 3, 4, 5), "u1"), "czyx", (2.0, 0.5, 0.25), ("DAPI", "µ-tubulin"), "cells"
    )
    path = write_image(tmp_path / "image.ome.tif", image)
    assert read_image(path).channel_names == ("DAPI", "µ-tubulin")
    with tifffile.TiffFile(path) as tif:
        assert tif.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        ome = tif.ome_metadata
    assert 'Name="cells"' in ome
    assert 'PhysicalSizeZ="2.0" PhysicalSizeZUnit="µm"' in ome


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_64_bit_integers_become_32_bits_when_they_fit(tmp_path: Path, dtype: str) -> None:
    pixels = np.array([[0, 2**31 - 1]], dtype)
    path = write_image(tmp_path / "image.tif", MicroscopyImage(pixels, "yx"))
    assert read_image(path).data.tolist() == pixels.tolist()
    with pytest.raises(ValueError, match=r"from 0 to 21474836470.*64-bit.*astype"):
        write_image(tmp_path / "b.tif", MicroscopyImage(pixels * 10, "yx"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image.tif"]


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.full((3, 4), 0.5), TypeError, "float64, but labels are integers"),
        (np.full((3, 4), -1), ValueError, "from -1 to -1"),
        (np.full((3, 4), 2**32), ValueError, "4294967296"),
        (np.zeros((3, 4, 5), int), ValueError, "name 2 axes, but the array has 3"),
        (np.zeros((0, 5), int), ValueError, "no pixels"),
    ],
)
def test_labels_that_cannot_be_saved(
    tmp_path: Path, labels: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        write_labels(tmp_path / "labels.tif", labels)
    assert list(tmp_path.iterdir()) == []


def test_a_lazy_image_is_written_plane_by_plane(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 9, (4, 5, 60, 50)).astype("u1")
    seen = []

    def spy(block: np.ndarray) -> np.ndarray:
        seen.append(block.shape)
        return block

    lazy = da.from_array(pixels, chunks=(1, 1, 60, 50)).map_blocks(spy, dtype="u1", meta=pixels)
    path = write_image(tmp_path / "lazy.tif", MicroscopyImage(lazy, "tzyx"))
    assert seen == [(1, 1, 60, 50)] * 20
    np.testing.assert_array_equal(read_image(path).data, pixels)


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"labels\.tif' exists already.*overwriting"):
        write_labels(path, np.ones((3, 4), int))
    with pytest.raises(FileExistsError):
        write_image(path, MicroscopyImage(np.ones((3, 4)), "yx"))
    assert path.read_text() == "precious"
    write_labels(path, np.ones((3, 4), int), overwrite=True)
    assert read_image(path).data.sum() == 12
    assert [p.name for p in tmp_path.iterdir()] == ["labels.tif"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    image = MicroscopyImage(np.ones((3, 4)), "yx")
    write_image(path, image)
    old = path.read_bytes()

    def fail(block: np.ndarray) -> np.ndarray:
        raise RuntimeError("the network drive is gone")

    broken = da.ones((5, 3, 4)).map_blocks(fail, dtype=float, meta=np.empty((0, 0, 0)))
    with pytest.raises(RuntimeError, match="network drive"):
        write_image(path, MicroscopyImage(broken, "zyx"), overwrite=True)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["image.tif"]


FULL_DISK = """
import resource, sys
import numpy as np
from napari_ssp.io import write_labels
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
labels = np.random.default_rng(0).integers(0, 60000, (4, 200, 200))
try:
    write_labels(sys.argv[1], labels, axes="zyx")
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of the file size")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    command = [sys.executable, "-W", "error", "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "labels.tif' could not be written" in done.stdout
    assert "Free some space" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_labels(tmp_path / "b" / "c.tif", np.ones((3, 4), int))


def test_levels_are_left_out(tmp_path: Path) -> None:
    image = MicroscopyImage(np.ones((8, 8)), "yx")
    path = write_image(tmp_path / "a.tif", replace(image, levels=(np.ones((4, 4)),)))
    assert read_image(path).levels == ()


@pytest.mark.parametrize("name", ["caf\udce9", "a\x01b", "<&> µ"])
def test_names_that_xml_cannot_hold(tmp_path: Path, name: str) -> None:
    image = MicroscopyImage(np.ones((2, 3, 4)), "cyx", (1, 0.5, 0.5), (name, "b"), name)
    found = read_image(write_image(tmp_path / "a.ome.tif", image))
    assert found.voxel_size == (1, 0.5, 0.5)
    assert found.channel_names == (printable(name), "b")


@pytest.mark.parametrize("name", ["a.png", "a.ome.jpg", "a.npy", "a.csv", "a.czi"])
def test_no_tiff_under_the_name_of_another_format(tmp_path: Path, name: str) -> None:
    image = MicroscopyImage(np.ones((4, 5), np.uint8), "yx")
    for write in (write_labels, write_image):
        with pytest.raises(ValueError, match=r"written as TIFF \(.tif, .ome.tif\) or OME-Zarr"):
            write(tmp_path / name, image)
    assert not list(tmp_path.iterdir())
