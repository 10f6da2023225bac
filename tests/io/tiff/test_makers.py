"""Files of microscopes and scanners that are TIFFs within, written here tag by tag."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tiff_by_hand import (
    BYTE,
    RATIONAL,
    append,
    longs,
    page_tags,
    rational,
    stack,
    text,
    write_pages,
)

from napari_ssp.io import read_image, read_images
from napari_ssp.io.tiff.reading import read_tiff

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("suffix", ["lsm", "stk", "svs", "ndpi", "scn", "qptiff", "bif", "LSM"])
@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_a_plain_tiff_under_any_name(tmp_path: Path, suffix: str, eager_bytes: int) -> None:
    path = tmp_path / f"plain.{suffix}"
    pixels = stack(30, 40)
    tifffile.imwrite(path, pixels, resolution=(20000, 20000), resolutionunit="CENTIMETER")
    image = read_tiff(path, eager_bytes)[0].image
    np.testing.assert_array_equal(np.asarray(image.data), pixels)
    assert (image.axes, image.voxel_size, image.warnings) == ("yx", (1.0, 0.5, 0.5), ())
    assert read_image(path).name == "plain"


# Zeiss LSM


def lsm_info(shape: tuple[int, ...], scan: int, voxel: tuple[float, float, float]) -> bytes:
    """Zeiss's structure of a stack (T, Z, C, Y, X); voxel size in m along x, y and z."""
    info = np.zeros(1, np.dtype(tifffile.TIFF.CZ_LSMINFO))
    info["MagicNumber"], info["StructureSize"] = 67127628, info.itemsize
    for name, length in zip(("Time", "Z", "Channels", "Y", "X"), shape, strict=True):
        info[f"Dimension{name}"] = length
    for name, size in zip("XYZ", voxel, strict=True):
        info[f"VoxelSize{name}"] = size
    info["ScanType"] = scan
    return info.tobytes()


def colour_names(*names: str) -> bytes:
    """Zeiss's list of channels: their colours, then their names."""
    raw = b"".join(struct.pack("<I", len(n) + 1) + n.encode() + b"\0" for n in names)
    start = 24 + 4 * len(names)
    sizes = (start + len(raw), len(names), len(names), 24, start, 0)
    return struct.pack("<6I", *sizes) + bytes(4 * len(names)) + raw


def write_lsm(path: Path, pixels: np.ndarray, scan: int, voxel: tuple[float, float, float]) -> None:
    info = lsm_info(pixels.shape, scan, voxel)
    pages = []
    for plane in pixels.reshape(-1, *pixels.shape[2:]):
        extra = [] if pages else [(34412, BYTE, len(info), info)]
        small = plane[:, ::4, ::4]
        pages += [
            (plane, [*page_tags(plane, photometric=2), *extra]),
            (small.astype("u1"), page_tags(small.astype("u1"), photometric=2, reduced=True)),
        ]
    write_pages(path, pages)
    place = append(path, colour_names("Ch1-T1", "ChS2-T2", "T PMT"))
    data = bytearray(path.read_bytes())
    offset = np.dtype(tifffile.TIFF.CZ_LSMINFO).fields["OffsetChannelColors"][1]
    struct.pack_into("<I", data, data.index(info[:8]) + offset, place)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
@pytest.mark.parametrize("name", ["a.lsm", "a.tif"])
@pytest.mark.parametrize(
    ("shape", "scan", "axes"), [((1, 3), 0, "zcyx"), ((3, 1), 3, "tcyx"), ((2, 3), 6, "tzcyx")]
)
def test_an_lsm(
    tmp_path: Path, eager_bytes: int, name: str, shape: tuple[int, int], scan: int, axes: str
) -> None:
    pixels = stack(*shape, 3, 24, 32)
    write_lsm(tmp_path / name, pixels, scan, (0.2e-6, 0.25e-6, 1e-6))
    (scene,) = read_tiff(tmp_path / name, eager_bytes)
    image = scene.image
    assert (image.axes, image.name) == (axes, "a")
    assert image.voxel_size == pytest.approx((1.0, 0.25, 0.2))
    assert image.channel_names == ("Ch1-T1", "ChS2-T2", "T PMT")
    np.testing.assert_array_equal(np.asarray(image.data), pixels.reshape(image.shape))


def test_an_lsm_in_wrong_units(tmp_path: Path) -> None:
    write_lsm(tmp_path / "a.lsm", stack(1, 3, 3, 24, 32), 0, (0.2, 0.2, 1.0))
    image = read_image(tmp_path / "a.lsm")
    assert image.voxel_size is None
    assert "200000 µm wide" in image.warnings[0]


# MetaMorph STK


def write_stk(path: Path, pixels: np.ndarray, *, step: int, waves: list[int], unit: bytes) -> None:
    """A stack of planes as one page; calibration 0.25 × 0.5 (x, y), step in 1/1000 µm."""
    count = len(pixels)
    uic2 = [n for k in range(count) for n in (step, 1000, 2459000, 1000 + k, 2459000, 1000)]
    uic3 = [n for wave in waves for n in (wave, 1)]
    head = 8 + pixels.nbytes
    # Entries of UIC1 say where their values are: written behind the whole file.
    tags = [
        longs(33628, *[3, 1, 4, 0, 5, 0, 6, 0], count=4),
        longs(33629, *uic2, kind=RATIONAL, count=count),
        longs(33630, *uic3, kind=RATIONAL, count=count),
        text(270, "Acquired from camera"),
    ]
    page = pixels.reshape(-1, pixels.shape[-1])
    described = [t for t in page_tags(pixels[0]) if t[0] not in (257, 278)]
    sizes = [longs(257, pixels.shape[1]), longs(278, pixels.shape[1])]
    values = [
        struct.pack("<2I", 1, 4),
        struct.pack("<2I", 1, 2),
        struct.pack("<I", len(unit)) + unit,
    ]
    start = write_pages(path, [(page, [*described, *sizes, *tags])])
    data = bytearray(path.read_bytes())
    entries = data.index(struct.pack("<8I", 3, 1, 4, 0, 5, 0, 6, 0))
    for k, value in enumerate(values):
        struct.pack_into("<I", data, entries + 12 + 8 * k, len(data))
        data += value
    assert start > head
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
@pytest.mark.parametrize(
    ("step", "waves", "axes", "names"),
    [
        (1500, [488] * 6, "zyx", ("488 nm",)),
        (0, [0] * 6, "tyx", ()),
        (1500, [488, 561] * 3, "zcyx", ("488 nm", "561 nm")),
        (1500, [488] * 3 + [561] * 3, "czyx", ("488 nm", "561 nm")),
        (0, [405, 488, 561] * 2, "tcyx", ("405 nm", "488 nm", "561 nm")),
        (1500, [488, 561, 561, 488, 488, 561], "zyx", ()),
    ],
)
def test_an_stk(
    tmp_path: Path, eager_bytes: int, step: int, waves: list[int], axes: str, names: tuple[str, ...]
) -> None:
    pixels = stack(6, 20, 30)
    write_stk(tmp_path / "a.stk", pixels, step=step, waves=waves, unit=b"um\0")
    image = read_tiff(tmp_path / "a.stk", eager_bytes)[0].image
    assert (image.axes, image.channel_names) == (axes, names)
    assert image.voxel_size == pytest.approx((1.5 if step else 1.0, 0.5, 0.25))
    np.testing.assert_array_equal(np.asarray(image.data), pixels.reshape(image.shape))


def test_an_stk_that_nobody_calibrated(tmp_path: Path) -> None:
    write_stk(tmp_path / "a.stk", stack(2, 20, 30), step=0, waves=[0, 0], unit=b"pixel\0")
    assert read_image(tmp_path / "a.stk").voxel_size is None


# Slides


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
    np.testing.assert_array_equal(np.asarray(image.data), full)
    assert [level.shape for level in image.levels] == [(128, 160, 3)]


# Others that end with .tif


METASERIES = """<MetaData><PlaneInfo>
<prop id="spatial-calibration-state" type="bool" value="on"/>
<prop id="spatial-calibration-x" type="float" value="0.325"/>
<prop id="spatial-calibration-y" type="float" value="0.325"/>
<prop id="spatial-calibration-units" type="string" value="um"/></PlaneInfo></MetaData>"""
ZEISS_SEM = "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.5 nm\r\n"
FEI = "[Scan]\r\nPixelWidth=5e-009\r\nPixelHeight=5e-009\r\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"description": METASERIES, "software": "MetaSeries"}, 0.325),
        (
            {
                "extratags": [
                    (34118, 2, 0, "AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.5 nm\r\n", True)
                ]
            },
            0.0045,
        ),
        (
            {
                "extratags": [
                    (34682, 2, 0, "[Scan]\r\nPixelWidth=5e-009\r\nPixelHeight=5e-009\r\n", True)
                ]
            },
            0.005,
        ),
    ],
)
def test_tags_of_other_makers(tmp_path: Path, options: dict[str, Any], expected: float) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack(20, 30), metadata=None, resolution=(72, 72), **options)
    assert read_image(path).voxel_size == pytest.approx((1.0, expected, expected))
