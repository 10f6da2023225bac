"""Files of microscopes and scanners that are TIFFs within, written here tag by tag."""

from __future__ import annotations

import json
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


def lsm_info(
    shape: tuple[int, ...], scan: int, voxel: tuple[float, float, float], positions: int = 0
) -> bytes:
    """Zeiss's structure of a stack (T, Z, C, Y, X); voxel size in m along x, y and z."""
    info = np.zeros(1, np.dtype(tifffile.TIFF.CZ_LSMINFO))
    info["MagicNumber"], info["StructureSize"] = 67127628, info.itemsize
    for name, length in zip(("Time", "Z", "Channels", "Y", "X"), shape, strict=True):
        info[f"Dimension{name}"] = length
    for name, size in zip("XYZ", voxel, strict=True):
        info[f"VoxelSize{name}"] = size
    info["ScanType"], info["DimensionP"] = scan, positions
    return info.tobytes()


def colour_names(*names: str) -> bytes:
    """Zeiss's list of channels: their colours, then their names."""
    raw = b"".join(struct.pack("<I", len(n) + 1) + n.encode() + b"\0" for n in names)
    start = 24 + 4 * len(names)
    sizes = (start + len(raw), len(names), len(names), 24, start, 0)
    return struct.pack("<6I", *sizes) + bytes(4 * len(names)) + raw


def write_lsm(path: Path, pixels: np.ndarray, scan: int, voxel: tuple[float, float, float]) -> None:
    """Write a stack (T, Z, C, Y, X), or several with the positions in front."""
    positions = len(pixels) if pixels.ndim == 6 else 0
    info = lsm_info(pixels.shape[-5:], scan, voxel, positions)
    pages = []
    for plane in pixels.reshape(-1, *pixels.shape[-3:]):
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


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_positions_of_an_lsm_are_images(tmp_path: Path, eager_bytes: int) -> None:
    pixels = stack(2, 1, 4, 3, 24, 32)
    write_lsm(tmp_path / "a.lsm", pixels, 0, (0.2e-6, 0.2e-6, 1e-6))
    scenes = read_tiff(tmp_path / "a.lsm", eager_bytes)
    assert [scene.image.name for scene in scenes] == ["a 0", "a 1"]
    for scene, expected in zip(scenes, pixels[:, 0], strict=True):
        assert scene.image.axes == "zcyx"
        np.testing.assert_array_equal(np.asarray(scene.image.data), expected)


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


def write_fluoview(path: Path, pixels: np.ndarray, steps: dict[str, float]) -> None:
    """Olympus's stack (Z, Y, X) with its header of dimensions; steps in µm."""
    header = np.zeros(1, np.dtype(tifffile.TIFF.MM_HEADER))
    for k, (axis, length) in enumerate(zip("XYZ", pixels.shape[::-1], strict=True)):
        header["Dimensions"][0, k] = (axis.encode(), length, 0.0, steps[axis], b"um")
    # Dimensions that are not used have the length 0 and no name.
    raw = header.tobytes()
    tags = [(34361, BYTE, len(raw), raw), (34362, 12, 8, bytes(64))]
    write_pages(path, [(plane, [*page_tags(plane), *tags]) for plane in pixels])


def write_sis(path: Path, pixels: np.ndarray, side: float) -> None:
    """Olympus's other kind: a structure that points to the calibration, here in nm."""
    head = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 1, 1, 1, 1, 120, b"cells", 1)
    structure = head + struct.pack("<hhI", 1, 1, 0)
    write_pages(path, [(pixels, [*page_tags(pixels), (33560, BYTE, len(structure), structure)])])
    values = struct.pack("<10xhdd8xd2x34s32s", -9, side, side, 20.0, b"camera", b"picture")
    place = append(path, values)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"SIS0") + 64, place)
    path.write_bytes(bytes(data))


def test_olympus(tmp_path: Path) -> None:
    pixels = stack(3, 20, 30)
    write_fluoview(tmp_path / "a.tif", pixels, {"X": 0.2, "Y": 0.25, "Z": -1.5})
    image = read_image(tmp_path / "a.tif")
    assert (image.axes, image.voxel_size) == ("zyx", pytest.approx((1.5, 0.25, 0.2)))
    np.testing.assert_array_equal(np.asarray(image.data), pixels)
    write_sis(tmp_path / "b.tif", pixels[0], 325.0)
    assert read_image(tmp_path / "b.tif").voxel_size == pytest.approx((1.0, 0.325, 0.325))


# Micro-Manager


def write_micromanager(path: Path, pixels: np.ndarray, side: float, step: float) -> None:
    """Stacks (R, T, Z, C, Y, X) as Micro-Manager has them: pixels 162 bytes behind their page."""
    positions, frames, slices, channels, height, width = pixels.shape
    summary = {
        "MicroManagerVersion": "1.4.22",
        "Frames": frames,
        "Slices": slices,
        "Channels": channels,
        "Positions": positions,
        "SlicesFirst": True,
        "TimeFirst": True,
        "PixelSize_um": side,
        "z-step_um": step,
        "ChNames": ["DAPI", "Cy5"],
    }
    raw = json.dumps(summary).encode()
    first = 40 + len(raw) + len(raw) % 2
    body = bytearray(struct.pack("<2sHI", b"II", 42, first).ljust(first, b"\0"))
    index = []
    for place in np.ndindex(positions, frames, slices, channels):
        offset, t = len(body), place
        index += [t[3], t[2], t[1], t[0], offset]
        size = height * width * 2
        text_at = offset + 162 + size
        tags = [
            (256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, 1), (262, 3, 1),
            (273, 4, offset + 162), (277, 3, 1), (278, 4, height), (279, 4, size),
            (282, 5, text_at), (283, 5, text_at), (296, 3, 3), (51123, 2, text_at + 8),
        ]  # fmt: skip
        following = text_at + 12
        body += struct.pack("<H", 13)
        for code, kind, value in tags:
            body += struct.pack("<HHII", code, kind, 4 if code == 51123 else 1, value)
        body += struct.pack("<I", following) + pixels[t].tobytes()
        body += struct.pack("<II", 1, 1) + b"{}\0\0"
    struct.pack_into("<I", body, text_at - size - 4, 0)  # the last page has none behind it
    map_at = len(body)
    body += struct.pack("<II", 3453623, len(index) // 5) + struct.pack(f"<{len(index)}I", *index)
    struct.pack_into("<IIIIIIII", body, 8, 54773648, map_at, 0, 0, 0, 0, 2355492, len(raw))
    body[40 : 40 + len(raw)] = raw
    path.write_bytes(bytes(body))


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_micromanager(tmp_path: Path, eager_bytes: int) -> None:
    pixels = stack(2, 3, 4, 2, 20, 30)
    path = tmp_path / "run_MMStack.tif"
    write_micromanager(path, pixels, 0.325, 2.0)
    scenes = read_tiff(path, eager_bytes)
    for scene, expected in zip(scenes, pixels, strict=True):
        image = scene.image
        assert (image.axes, image.channel_names) == ("tzcyx", ("DAPI", "Cy5"))
        assert image.voxel_size == pytest.approx((2.0, 0.325, 0.325))
        np.testing.assert_array_equal(np.asarray(image.data), expected)
    write_micromanager(path, pixels[:1], 0.0, 2.0)
    (image,) = read_images(path)
    assert image.voxel_size is None
