from __future__ import annotations

from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from napari_ssp.io import read_image

if TYPE_CHECKING:
    from pathlib import Path

GREY = np.random.default_rng(0).integers(0, 256, (7, 9)).astype("u1")
COLOURS = np.random.default_rng(0).integers(0, 256, (7, 9, 4)).astype("u1")


@pytest.mark.parametrize(
    "pixels",
    [GREY, GREY.astype("u2") * 257, COLOURS[..., :3], COLOURS, COLOURS[..., :3].astype("u2") * 257],
)
def test_png_keeps_bits_and_alpha(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "cells.PNG"
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    image = read_image(path)
    assert (image.axes, image.rgb) == (("yx", False) if pixels.ndim == 2 else ("yxc", True))
    assert (image.name, image.dtype, image.voxel_size) == ("cells", pixels.dtype, None)
    np.testing.assert_array_equal(image.data, pixels)


def test_png_palettes_become_colours_and_alpha_beside_grey_is_dropped(tmp_path: Path) -> None:
    palette = Image.fromarray(COLOURS[..., :3]).quantize(5)
    palette.save(tmp_path / "palette.png")
    image = read_image(tmp_path / "palette.png")
    np.testing.assert_array_equal(image.data, np.asarray(palette.convert("RGB")))
    Image.fromarray(GREY).convert("LA").save(tmp_path / "la.png")
    image = read_image(tmp_path / "la.png")
    assert image.axes == "yx"
    np.testing.assert_array_equal(image.data, GREY)


def test_one_bit_png(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png").data > 0, GREY > 100)


@pytest.mark.parametrize("suffix", ["jpg", "JPEG"])
def test_jpeg(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"smear.{suffix}"
    Image.fromarray(COLOURS[..., :3]).save(path, "JPEG")
    image = read_image(path)
    assert (image.axes, image.rgb, image.dtype) == ("yxc", True, np.uint8)
    with Image.open(path) as opened:
        assert np.abs(image.data.astype(int) - np.asarray(opened)).max() <= 2
    Image.fromarray(GREY).save(path, "JPEG")
    assert read_image(path).axes == "yx"


def test_cmyk_jpeg_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.fromarray(COLOURS[..., :3]).convert("CMYK").save(path)
    with pytest.raises(ValueError, match=r"CMYK.*Convert it to RGB"):
        read_image(path)


def test_the_content_decides_between_formats(tmp_path: Path) -> None:
    path = tmp_path / "renamed.jpg"
    path.write_bytes(imagecodecs.png_encode(GREY))
    np.testing.assert_array_equal(read_image(path).data, GREY)


def test_real_pictures(shared_data: Path) -> None:
    smear = read_image(shared_data / "cells" / "unlabelled" / "BloodImage_00000.jpg")
    assert (smear.axes, smear.shape, smear.dtype) == ("yxc", (480, 640, 3), np.uint8)
    phase = read_image(shared_data / "cells" / "labelled" / "images" / "t98g_phase_03.png")
    assert (phase.axes, phase.shape, phase.dtype) == ("yx", (1022, 1024), np.uint8)
