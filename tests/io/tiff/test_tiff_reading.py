from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_ssp.io import read_image, read_images
from napari_ssp.io.tiff.lazy import TiffArray
from napari_ssp.io.tiff.reading import read_tiff

if TYPE_CHECKING:
    from pathlib import Path


def noise(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def test_ome_tiff_with_lzw(shared_data: Path) -> None:
    folder = shared_data / "reader_files"
    image = read_image(folder / "aics_single_plane.ome.tiff")
    assert (image.axes, image.shape, image.dtype) == ("yx", (325, 475), np.uint16)
    assert image.voxel_size == pytest.approx((1.0, 13 / 12, 13 / 12))
    assert image.channel_names == ("Bright",)
    assert image.name == "aics_single_plane"
    plain = read_image(folder / "aics_single_plane.tiff")
    np.testing.assert_array_equal(image.plane(), plain.plane())
    assert plain.voxel_size == pytest.approx((1.0, 13 / 12, 13 / 12), rel=1e-5)


def test_imagej_stack_with_calibration(shared_data: Path) -> None:
    image = read_image(shared_data / "reader_files" / "mitotic_plate_imagej.tif")
    assert (image.axes, image.shape, image.dtype) == ("zyx", (6, 263, 263), np.uint8)
    assert image.voxel_size == pytest.approx((3.0, 0.0852, 0.0852), rel=1e-3)
    assert image.plane(z=5).shape == (263, 263)


def test_ome_tiff_with_channels(shared_data: Path) -> None:
    image = read_image(shared_data / "reader_files" / "brightfield_lamin_czyx.ome.tif")
    assert (image.axes, image.shape) == ("czyx", (2, 16, 128, 128))
    assert image.channel_names == ("Bright", "Lamin B1")
    assert image.voxel_size == (0.29, 0.29, 0.29)
    assert image.name == "brightfield_lamin_czyx"


@pytest.mark.parametrize(
    ("file", "axes", "shape", "dtype", "rgb"),
    [
        ("unlabelled/mediar_img1.tiff", "yxc", (480, 640, 3), "u1", True),
        ("unlabelled/hela_rgb48.tiff", "yxc", (512, 672, 3), "u2", True),
        ("unlabelled/epithelium_2ch.tiff", "cyx", (2, 354, 475), "u1", False),
        ("unlabelled/u2os_bbbc022_3ch.tiff", "cyx", (3, 395, 695), "u2", False),
        ("unlabelled/phase_ecoli_timelapse.tiff", "tyx", (7, 470, 470), "u2", False),
        ("unlabelled/phase_yeast_1.tiff", "yx", (520, 692), "u2", False),
        ("labelled/images/t98g_phase_05.tiff", "yx", (1022, 1024), "u2", False),
        ("volumes/images/plant_ovule_3d.tiff", "zyx", (32, 128, 128), "u1", False),
    ],
)
def test_axes_of_real_files(
    shared_data: Path, file: str, axes: str, shape: tuple[int, ...], dtype: str, rgb: bool
) -> None:
    path = shared_data / "cells" / file
    image = read_image(path)
    assert (image.axes, image.shape, image.dtype, image.rgb) == (axes, shape, dtype, rgb)
    assert image.voxel_size is None
    np.testing.assert_array_equal(np.asarray(image.data), tifffile.imread(path))


WRITTEN: list[tuple[tuple[int, ...], dict[str, Any], str, bool]] = [
    ((3, 2, 4, 9, 8), {"imagej": True, "metadata": {"axes": "TZCYX"}}, "tzcyx", False),
    ((3, 2, 4, 9, 8), {"ome": True, "metadata": {"axes": "TCZYX"}}, "tczyx", False),
    ((1, 2, 1, 9, 8), {"ome": True, "metadata": {"axes": "TCZYX"}}, "cyx", False),
    ((5, 9, 8), {"imagej": True}, "cyx", False),
    ((5, 9, 8), {"metadata": None}, "zyx", False),
    ((5, 9, 8), {}, "zyx", False),
    ((7, 8, 9, 9), {}, "tzyx", False),
    ((7, 2, 9, 9), {}, "zcyx", False),
    ((5, 1, 1, 9, 8), {}, "zyx", False),
    ((1, 9), {}, "yx", False),
    ((9, 1), {}, "yx", False),
    ((1, 1), {}, "yx", False),
    ((9, 8, 3), {"photometric": "rgb"}, "yxc", True),
    ((9, 8, 4), {"photometric": "rgb"}, "yxc", True),
    ((9, 8, 2), {"photometric": "minisblack", "planarconfig": "contig"}, "yxc", False),
    ((9, 8, 5), {"photometric": "minisblack", "planarconfig": "contig"}, "yxc", False),
    ((5, 9, 8, 3), {"photometric": "rgb"}, "zyxc", True),
    ((4, 5, 9, 8, 3), {"photometric": "rgb"}, "tzyxc", True),
    (
        (5, 9, 8, 3),
        {"imagej": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}},
        "zyxc",
        True,
    ),
]


@pytest.mark.parametrize(
    ("stored", "written", "axes", "rgb", "compression"),
    [
        (*case, compression)
        for case in WRITTEN
        for compression in (None, "zlib")
        if not (compression and case[1].get("imagej"))  # ImageJ's own are never compressed
    ],
)
def test_axes_of_written_files(
    tmp_path: Path,
    stored: tuple[int, ...],
    written: dict[str, Any],
    axes: str,
    rgb: bool,
    compression: str | None,
) -> None:
    path = tmp_path / "cells.tif"
    dtype = "u1" if rgb else "u2"
    pixels = noise(*stored, dtype=dtype)
    options = {"photometric": "minisblack", "compression": compression, **written}
    tifffile.imwrite(path, pixels, **options)
    image = read_image(path)
    assert (image.axes, image.rgb) == (axes, rgb)
    expected = pixels.reshape(image.shape)
    np.testing.assert_array_equal(image.data, expected)
    lazy = read_tiff(path, eager_bytes=0)[0].image
    assert isinstance(lazy.data, da.Array)
    assert (lazy.axes, lazy.dtype) == (axes, dtype)
    np.testing.assert_array_equal(np.asarray(lazy.data), expected)
    last = next(reversed(list(image.planes())))
    np.testing.assert_array_equal(lazy.plane(*last), image.plane(*last))


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
@pytest.mark.parametrize("depth", [(), (5,)])
def test_planar_colours_come_last(tmp_path: Path, eager_bytes: int, depth: tuple[int, ...]) -> None:
    pixels = noise(*depth, 3, 40, 30, dtype="u1")
    path = tmp_path / "planar.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", planarconfig="separate", compression="lzw")
    image = read_tiff(path, eager_bytes)[0].image
    assert (image.axes, image.rgb) == ("z" * len(depth) + "yxc", True)
    np.testing.assert_array_equal(np.asarray(image.data), np.moveaxis(pixels, -3, -1))


def test_channels_beside_colours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "both.ome.tif"
    both = noise(2, 9, 8, 3, dtype="u1")
    tifffile.imwrite(path, both, photometric="rgb", metadata={"axes": "CYXS"})
    with pytest.raises(ValueError, match=r"channels and colour samples .*CYXS"):
        read_image(path)


def test_too_many_unknown_axes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    tifffile.imwrite(path, noise(2, 3, 4, 9, 8), photometric="minisblack")
    with pytest.raises(ValueError, match=r"nothing says what Q \(2\), Q \(3\), Q \(4\) are"):
        read_image(path)


@pytest.mark.parametrize("dtype", "? u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8 >u2 >f4".split())
@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_all_real_types(tmp_path: Path, dtype: str, eager_bytes: int) -> None:
    path = tmp_path / "types.tif"
    pixels = (noise(3, 9, 8) % 2 if dtype == "?" else noise(3, 9, 8)).astype(dtype)
    order = ">" if dtype.startswith(">") else "<"
    tifffile.imwrite(path, pixels, byteorder=order, photometric="minisblack")
    image = read_tiff(path, eager_bytes)[0].image
    assert image.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(np.asarray(image.data), pixels)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "complex.tif"
    tifffile.imwrite(path, np.ones((9, 8), "c8"))
    with pytest.raises(TypeError, match="complex64"):
        read_image(path)


def test_several_series_are_several_images(tmp_path: Path) -> None:
    path = tmp_path / "positions.ome.tif"
    with tifffile.TiffWriter(path) as tif:
        for name, size in (("left", 0.5), ("right", 0.25)):
            metadata = {
                "axes": "ZYX",
                "Name": name,
                "PhysicalSizeX": size,
                "PhysicalSizeY": size,
                "PhysicalSizeZ": 2.0,
            }
            tif.write(noise(3, 20, 10), metadata=metadata, photometric="minisblack")
    left, right = read_images(path)
    assert (left.name, right.name) == ("positions left", "positions right")
    assert (left.voxel_size, right.voxel_size) == ((2.0, 0.5, 0.5), (2.0, 0.25, 0.25))
    assert read_image(path).name == "positions left"


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_a_pyramid_keeps_its_levels(tmp_path: Path, eager_bytes: int) -> None:
    path = tmp_path / "pyramid.ome.tif"
    full = noise(2, 200, 160)
    with tifffile.TiffWriter(path) as tif:
        options = {"tile": (32, 32), "compression": "zlib", "photometric": "minisblack"}
        tif.write(full, subifds=2, metadata={"axes": "CYX"}, **options)
        tif.write(full[:, ::2, ::2], subfiletype=1, **options)
        tif.write(full[:, ::4, ::4], subfiletype=1, **options)
    image = read_tiff(path, eager_bytes)[0].image
    assert image.axes == "cyx"
    assert [tuple(level.shape) for level in image.levels] == [(2, 100, 80), (2, 50, 40)]
    np.testing.assert_array_equal(np.asarray(image.levels[1]), full[:, ::4, ::4])


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (32, 48)},
        {"tile": (32, 48), "compression": "zlib"},
        {"tile": (32, 48), "compression": "zlib", "planarconfig": "separate"},
        {"rowsperstrip": 7, "compression": "lzw"},
        {"rowsperstrip": 7},
        {},
    ],
)
def test_any_part_of_a_large_page_is_read_alone(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "large.tif"
    pixels = noise(2, 101, 130, 3, dtype="u1")
    if options.get("planarconfig"):
        pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
    tifffile.imwrite(path, pixels, photometric="rgb", **options)
    array = TiffArray.open(str(path))
    rng = np.random.default_rng(1)
    for _ in range(20):
        key = tuple(slice(*sorted(rng.integers(0, n + 1, 2))) for n in array.shape)
        np.testing.assert_array_equal(array[key], pixels[key])
    np.testing.assert_array_equal(array[1], pixels[1])
    np.testing.assert_array_equal(array[-1, ::-2, 3], pixels[-1, ::-2, 3])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array))[0], pixels[0])


def test_a_lazy_plane_reads_little_and_leaves_the_file_closed(tmp_path: Path) -> None:
    path = tmp_path / "tiled.tif"
    pixels = noise(6000, 5000, dtype="u1")
    tifffile.imwrite(path, pixels, tile=(256, 256), compression="zlib")
    array = TiffArray.open(str(path))
    assert array.chunks == (2048, 2048)
    lazy = read_tiff(path, eager_bytes=0)[0].image.data
    np.testing.assert_array_equal(lazy[3000:3010, 4000:4020], pixels[3000:3010, 4000:4020])
    size = path.stat().st_size
    with path.open("r+b") as file:  # break the first tile: a read elsewhere does not notice
        file.seek(array._page.dataoffsets[0])
        file.write(b"\0" * 64)
    assert path.stat().st_size == size
    assert int(lazy[5000, 4000]) == pixels[5000, 4000]


OME_SET = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{uuid}">
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="30"
 SizeZ="2" SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>
<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="z0.ome.tif">urn:uuid:0</UUID></TiffData>
<TiffData FirstZ="1" IFD="0" PlaneCount="1"><UUID FileName="z1.ome.tif">urn:uuid:1</UUID></TiffData>
</Pixels></Image></OME>"""


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_an_ome_set_of_files_is_one_image(tmp_path: Path, eager_bytes: int) -> None:
    pixels = noise(2, 30, 40)
    for z in (0, 1):
        description, path = OME_SET.format(uuid=z), tmp_path / f"z{z}.ome.tif"
        tifffile.imwrite(path, pixels[z], description=description, metadata=None, compression="lzw")
    image = read_tiff(tmp_path / "z0.ome.tif", eager_bytes)[0].image
    assert image.axes == "zyx"
    np.testing.assert_array_equal(np.asarray(image.data), pixels)
    np.testing.assert_array_equal(image.plane(z=1), pixels[1])


def test_the_resolution_of_a_plain_tiff_counts_unless_it_is_for_printing(tmp_path: Path) -> None:
    path = tmp_path / "resolution.tif"
    for resolution, unit, expected in [
        ((20000, 40000), "CENTIMETER", (1.0, 0.25, 0.5)),
        ((25400, 25400), "INCH", (1.0, 1.0, 1.0)),
        ((300, 300), "INCH", None),
        ((1200, 1200), "INCH", None),
        ((2, 2), "NONE", None),
    ]:
        tifffile.imwrite(path, noise(9, 8), resolution=resolution, resolutionunit=unit)
        found = read_image(path).voxel_size
        assert found == (None if expected is None else pytest.approx(expected))


def test_imagej_labels_name_channels(tmp_path: Path) -> None:
    path = tmp_path / "channels.tif"
    metadata = {"axes": "CYX", "Labels": ["DAPI", "GFP"], "unit": "nm"}
    tifffile.imwrite(path, noise(2, 9, 8), imagej=True, metadata=metadata, resolution=(0.01, 0.02))
    image = read_image(path)
    assert image.channel_names == ("DAPI", "GFP")
    assert image.voxel_size == pytest.approx((1.0, 0.05, 0.1))
