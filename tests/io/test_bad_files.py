from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_ssp.io import read_image
from napari_ssp.io.tiff.reading import read_tiff

STACK = np.random.default_rng(0).integers(0, 60000, (3, 2, 4, 30, 40)).astype("u2")
COLOURS = np.random.default_rng(0).integers(0, 255, (60, 50, 3)).astype("u1")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file '.*gone\.tif'. Check the name"):
        read_image(tmp_path / "gone.tif")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="one by one"):
        read_image(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.tif"
    path.touch()
    with pytest.raises(ValueError, match=r"is empty \(0 bytes\)"):
        read_image(path)


@pytest.mark.parametrize("name", ["text.tif", "text.png", "text.JPG", "text.czi"])
def test_text_that_was_renamed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("Once upon a time")
    with pytest.raises(ValueError, match=r"begins with b'Once upon a time'.*renaming"):
        read_image(path)


@pytest.mark.parametrize("name", ["image.bmp", "image", "image.txt"])
def test_another_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"BM")
    with pytest.raises(ValueError, match=r"formats read here are \.tif, .*OME-TIFF"):
        read_image(path)


@pytest.mark.parametrize("name", ["image", "image.dat", "image.czi", "image.tif.bak"])
def test_a_known_format_under_any_name(tmp_path: Path, name: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0, 0])
    (tmp_path / "a.tif").rename(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name).data, STACK[0, 0, 0])


@pytest.mark.parametrize("name", ["photo.nef", "photo.CR2", "slide.vsi"])
def test_a_tiff_that_only_previews_its_pixels(tmp_path: Path, name: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0, 0])
    (tmp_path / "a.tif").rename(tmp_path / name)
    with pytest.raises(ValueError, match=r"formats read here are \.tif, .*OME-TIFF"):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/image.ome.zarr",
        "s3://bucket/image.zarr",
        "file:///data/image.tif",
        "http://example.org/stack.czi",
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_is_refused(address: str, kind: type) -> None:
    with pytest.raises(ValueError, match=r"is an address.*Download it first"):
        read_image(kind(address))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.tif"
    path.write_bytes(b"II*\0")
    path.chmod(0)
    with pytest.raises(PermissionError, match="secret"):
        read_image(path)


@pytest.mark.parametrize(
    "options",
    [
        {"ome": True, "metadata": {"axes": "TCZYX"}, "compression": "zlib"},
        {"ome": True, "metadata": {"axes": "TCZYX"}},
        {"imagej": True, "metadata": {"axes": "TZCYX"}},
        {"bigtiff": True, "metadata": {"axes": "TCZYX"}, "compression": "lzw"},
        {"byteorder": ">", "metadata": {"axes": "TCZYX"}},
    ],
)
@pytest.mark.parametrize("eager_bytes", [0, 10**9])
@pytest.mark.parametrize("share", [0.0002, 0.005, 0.03, 0.4, 0.9, 0.99])
def test_a_tiff_that_was_cut_off(
    tmp_path: Path, options: dict[str, Any], eager_bytes: int, share: float
) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(OSError, match=r"cut\.tif' \(\d+ bytes\) is cut off or damaged: .*again"):
        read_tiff(path, eager_bytes)


def test_a_tiff_with_damaged_pixels(tmp_path: Path) -> None:
    path = tmp_path / "damaged.tif"
    tifffile.imwrite(path, STACK[0, 0, 0], compression="zlib")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[0]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 100)
    with pytest.raises(OSError, match="is cut off or damaged"):
        read_image(path)


def test_a_tiff_header_without_pages(tmp_path: Path) -> None:
    path = tmp_path / "header.tif"
    path.write_bytes(b"II*\0" + b"\0" * 4)
    with pytest.raises(OSError, match=r"is cut off or damaged: there is no image in it"):
        read_image(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_that_was_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"cut.{suffix}"
    encode = imagecodecs.png_encode if suffix == "png" else imagecodecs.jpeg_encode
    whole = encode(COLOURS)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(OSError, match=rf"cut\.{suffix}' \(\d+ bytes\) is cut off or damaged"):
        read_image(path)
