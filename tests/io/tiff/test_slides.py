"""Slides of several scanners, written here: an image in levels, and pictures beside it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tiff_by_hand import longs, page_tags, rational, stack, text, write_pages

from napari_ssp.io import read_images
from napari_ssp.io.tiff.reading import read_tiff

if TYPE_CHECKING:
    from pathlib import Path


def write_slide(path: Path, descriptions: tuple[str, str, str, str], **options: Any) -> np.ndarray:
    """An image with a smaller level, and a thumbnail, a label and an overview beside it."""
    full = stack(256, 320, 3, dtype="u1")
    shared: dict[str, Any] = {"photometric": "rgb", "metadata": None, **options}
    tile: dict[str, Any] = {"tile": (64, 64), **shared}
    image, small, label, macro = descriptions
    with tifffile.TiffWriter(path) as tif:
        tif.write(full, description=image, **tile)
        tif.write(full[::5, ::5], description=small, **shared)
        tif.write(full[::2, ::2], description=image, **tile)
        tif.write(stack(50, 40, 3, dtype="u1"), description=label, subfiletype=1, **shared)
        tif.write(stack(30, 90, 3, dtype="u1"), description=macro, subfiletype=9, **shared)
    return full


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_an_svs(tmp_path: Path, eager_bytes: int) -> None:
    path = tmp_path / "a.svs"
    text = "Aperio Image Library v11.2\r\n320x256 [0,0 320x256]|AppMag = 20|MPP = 0.4990"
    descriptions = (text, "Aperio thumbnail", "Aperio label", "Aperio macro")
    full = write_slide(path, descriptions, resolution=(72, 72), resolutionunit="INCH")
    (scene,) = read_tiff(path, eager_bytes)
    image = scene.image
    assert (image.axes, image.rgb, image.name) == ("yxc", True, "a")
    assert image.voxel_size == pytest.approx((1.0, 0.499, 0.499))
    np.testing.assert_array_equal(np.asarray(image.data), full)
    assert [level.shape for level in image.levels] == [(128, 160, 3)]


def test_a_slide_of_a_maker_unknown_here(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    full = write_slide(
        path, ("", "", "", ""), resolution=(40000, 40000), resolutionunit="CENTIMETER"
    )
    (image,) = read_images(path)
    assert image.voxel_size == pytest.approx((1.0, 0.25, 0.25))
    np.testing.assert_array_equal(np.asarray(image.data), full)
    assert [level.shape for level in image.levels] == [(128, 160, 3)]


def test_pictures_of_a_slide_in_an_ome_tiff(tmp_path: Path) -> None:
    path = tmp_path / "slide.ome.tif"
    with tifffile.TiffWriter(path) as tif:
        for name in ("slide.svs [0]", "label image", "macro image"):
            pixels = stack(30, 40, 3, dtype="u1")
            tif.write(pixels, photometric="rgb", metadata={"axes": "YXS", "Name": name})
    assert [image.name for image in read_images(path)] == ["slide"]


NDPI_TAGS = [text(271, "Hamamatsu"), longs(65420, 1), longs(296, 3, kind=3)]


@pytest.mark.parametrize("name", ["a.ndpi", "a.tif"])
@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_an_ndpi(tmp_path: Path, name: str, eager_bytes: int) -> None:
    full = stack(64, 96, dtype="u1")
    pages = []
    for pixels, magnification, rate in (
        (full, 20.0, 4),
        (full[::2, ::2], 10.0, 2),
        (full[::3], -1.0, 1),
    ):
        lens = (65421, 11, 1, struct.pack("<f", magnification))
        resolution = [rational(code, rate * 10000.0) for code in (282, 283)]
        pages.append((pixels, [*page_tags(pixels), *NDPI_TAGS, lens, *resolution]))
    write_pages(tmp_path / name, pages, ndpi=True)
    (scene,) = read_tiff(tmp_path / name, eager_bytes)
    np.testing.assert_array_equal(np.asarray(scene.image.data), full)
    assert scene.image.voxel_size == pytest.approx((1.0, 0.25, 0.25))
    assert [level.shape for level in scene.image.levels] == [(32, 48)]


SCN = """<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">
<collection name="slide" sizeX="26564529" sizeY="76734000">
<image name="macro"><pixels sizeX="40" sizeY="50"><dimension sizeX="40" sizeY="50" r="0" ifd="0"/>
</pixels><view sizeX="26564529" sizeY="76734000" offsetX="0" offsetY="0"/></image>
<image name="tissue"><pixels sizeX="320" sizeY="256">
<dimension sizeX="320" sizeY="256" r="0" ifd="1"/><dimension sizeX="160" sizeY="128" r="1" ifd="2"/>
</pixels><view sizeX="160000" sizeY="128000" offsetX="9" offsetY="9"/></image>
</collection></scn>"""


def test_an_scn(tmp_path: Path) -> None:
    path = tmp_path / "a.scn"
    full = stack(256, 320, 3, dtype="u1")
    options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "tile": (64, 64)}
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        tif.write(stack(50, 40, 3, dtype="u1"), description=SCN, **options)
        tif.write(full, **options)
        tif.write(full[::2, ::2], **options)
    (image,) = read_images(path)
    assert image.voxel_size == pytest.approx((1.0, 0.5, 0.5))
    np.testing.assert_array_equal(np.asarray(image.data), full)
    assert [level.shape for level in image.levels] == [(128, 160, 3)]


def test_a_qptiff(tmp_path: Path) -> None:
    path = tmp_path / "a.qptiff"
    full = stack(2, 256, 320, dtype="u1")
    options: dict[str, Any] = {
        "photometric": "minisblack",
        "metadata": None,
        "software": "PerkinElmer-QPI",
        "resolution": (20000, 20000),
        "resolutionunit": "CENTIMETER",
    }
    element = "PerkinElmer-QPI-ImageDescription"
    note = f"<?xml?><{element}><Name>{{}}</Name></{element}>"
    with tifffile.TiffWriter(path) as tif:
        for step in (1, 2):
            for name, plane in zip(("DAPI", "FITC"), full, strict=True):
                pixels = plane[::step, ::step]
                tif.write(pixels, tile=(64, 64), description=note.format(name), **options)
            if step == 1:
                tif.write(stack(40, 50, 3, dtype="u1"), **{**options, "photometric": "rgb"})
        tif.write(stack(30, 90, 3, dtype="u1"), **{**options, "photometric": "rgb"})
    (image,) = read_images(path)
    assert (image.axes, image.channel_names) == ("cyx", ("DAPI", "FITC"))
    assert image.voxel_size == pytest.approx((1.0, 0.5, 0.5))
    np.testing.assert_array_equal(np.asarray(image.data), full)
    assert [level.shape for level in image.levels] == [(2, 128, 160)]


def test_a_bif(tmp_path: Path) -> None:
    path = tmp_path / "a.bif"
    full = stack(256, 320, 3, dtype="u1")
    scan = b'<Metadata><iScan Magnification="20" ScanRes="0.465000"/></Metadata>'
    options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": "Ventana"}
    with tifffile.TiffWriter(path) as tif:
        xmp = [(700, 1, len(scan), scan, True)]
        label = stack(50, 40, 3, dtype="u1")
        tif.write(label, description="Label_Image", extratags=xmp, **options)
        for level in (0, 1):
            pixels = full[:: level + 1, :: level + 1]
            note = f"level={level} mag={20 // (level + 1)} quality=90"
            tif.write(pixels, description=note, tile=(64, 64), **options)
    (image,) = read_images(path)
    assert image.voxel_size == pytest.approx((1.0, 0.465, 0.465))
    assert "Tiles of a Ventana slide overlap" in image.warnings[0]
    np.testing.assert_array_equal(np.asarray(image.data), full)
    assert [level.shape for level in image.levels] == [(128, 160, 3)]


PHILIPS = """<?xml version="1.0" encoding="UTF-8" ?><DataObject ObjectType="DPUfsImport">
<Attribute Name="PIM_DP_SCANNED_IMAGES"><Array><DataObject ObjectType="DPScannedImage"><Array>
{levels}</Array></DataObject></Array></Attribute></DataObject>"""
PHILIPS_LEVEL = """<DataObject ObjectType="PixelDataRepresentation">
<Attribute Name="DICOM_PIXEL_SPACING" Group="0x0028" PMSVR="IDoubleArray">"{0}" "{0}"</Attribute>
</DataObject>"""


def test_a_philips_slide(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    full = stack(256, 320, 3, dtype="u1")
    levels = "".join(PHILIPS_LEVEL.format(0.00025 * step) for step in (1, 2))
    options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": "Philips DP v1"}
    with tifffile.TiffWriter(path) as tif:
        tif.write(full, description=PHILIPS.format(levels=levels), tile=(64, 64), **options)
        tif.write(full[::2, ::2], tile=(64, 64), **options)
        tif.write(stack(30, 90, 3, dtype="u1"), description="Macro", **options)
        tif.write(stack(50, 40, 3, dtype="u1"), description="Label", **options)
    (image,) = read_images(path)
    assert image.voxel_size == pytest.approx((1.0, 0.25, 0.25))
    np.testing.assert_array_equal(np.asarray(image.data), full)
    assert [level.shape for level in image.levels] == [(128, 160, 3)]
