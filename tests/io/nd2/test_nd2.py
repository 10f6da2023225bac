"""ND2 files, written here chunk by chunk; no real file was at hand."""

from __future__ import annotations

import pickle
import struct
import zlib
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest

from napari_ssp.io import read_image, read_images

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("nd2")

MAGIC = 0x0ABECEDA
TYPES = {int: "lx_uint32", float: "double", str: "CLxStringW", bool: "bool"}
TIME, POSITIONS, STACK = 1, 2, 4


def variant(name: str, value: Any) -> str:
    """Nikon's variant type as XML."""
    if isinstance(value, list):
        value = {f"a{k}": item for k, item in enumerate(value)}
    if isinstance(value, dict):
        return f"<{name}>{''.join(variant(k, v) for k, v in value.items())}</{name}>"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'<{name} runtype="{TYPES[type(value)]}" value={quoteattr(text)}/>'


def loop(kind: int, count: int, step: float, names: tuple[str, ...]) -> dict[str, Any]:
    if kind == POSITIONS:
        places = [{"dPosX": 900.0 - 100 * k, "dPosY": 50.0 * k} for k in range(count)]
        return {"Points": [p | {"pPosName": n} for p, n in zip(places, names, strict=True)]}
    if kind == STACK:
        return {"uiCount": count, "dZStep": step, "dZLow": 0.0, "dZHigh": step * (count - 1)}
    return {"uiCount": count, "dStart": 0.0, "dPeriod": 100.0, "dDuration": 100.0}


def experiment(loops: list[tuple[int, int]], step: float, names: tuple[str, ...]) -> dict[str, Any]:
    (kind, count), *inner = loops
    found: dict[str, Any] = {"eType": kind, "uLoopPars": loop(kind, count, step, names)}
    if inner:
        found["ppNextLevelEx"] = [experiment(inner, step, names)]
    return found


def write_nd2(
    path: Path,
    frames: np.ndarray,
    loops: list[tuple[int, int]],
    *,
    channels: tuple[str, ...] = ("DAPI",),
    names: tuple[str, ...] = (),
    size: float = 0.325,
    step: float = 1.5,
    calibrated: bool = True,
    packed: bool = False,
    recorded: int | None = None,
    width: int | None = None,
    described: bool = True,
) -> None:
    """Write frames (N, Y, X, components); loops are the outermost first."""
    _, height, columns, components = frames.shape
    attributes = {
        "uiWidth": width or columns,
        "uiWidthBytes": (width or columns) * components * frames.itemsize,
        "uiHeight": height,
        "uiComp": components,
        "uiBpcInMemory": 8 * frames.itemsize,
        "uiBpcSignificant": 8 * frames.itemsize,
        "uiSequenceCount": len(frames) if recorded is None else recorded,
        "eCompression": 0 if packed else 2,
    }
    each = components // len(channels)
    probe = {"pFluorescentProbe": {"m_sName": "dye"}} if described else {}
    shared = {"uiCompCount": each, "uiColor": 255, **probe}
    planes = [{"sDescription": name, **shared} for name in channels]
    picture = {
        "bCalibrated": calibrated,
        "dCalibration": size if calibrated else -1.0,
        "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": planes},
    }
    chunks = {
        b"ImageAttributesLV!": variant("SLxImageAttributes", attributes).encode(),
        b"ImageMetadataSeqLV|0!": variant("SLxPictureMetadata", picture).encode(),
    }
    if loops:
        found = experiment(loops, step, names)
        chunks[b"ImageMetadataLV!"] = variant("SLxExperiment", found).encode()
    for k, frame in enumerate(frames[:recorded]):
        raw = np.ascontiguousarray(frame).tobytes()
        # A time stamp stands before the pixels.
        chunks[f"ImageDataSeq|{k}!".encode()] = bytes(8) + (zlib.compress(raw) if packed else raw)
    data, places = chunk(b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0")), {}
    for name, content in chunks.items():
        places[name] = (len(data), len(content))
        if not name.startswith(b"ImageData"):
            content = b"<variant>" + content + b"</variant>"
        data += chunk(name, content, 4072)
    table = b"".join(name + struct.pack("<QQ", *place) for name, place in places.items())
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(data))
    path.write_bytes(data + chunk(b"ND2 FILEMAP SIGNATURE NAME 0001!", table + end))


def chunk(name: bytes, content: bytes, room: int | None = None) -> bytes:
    label = name.ljust(room or len(name), b"\0")
    return struct.pack("<IIQ", MAGIC, len(label), len(content)) + label + content


def noise(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


@pytest.mark.parametrize("packed", [False, True])
def test_a_stack_with_channels(tmp_path: Path, packed: bool) -> None:
    pixels = noise(3, 4, 20, 30, 2)
    frames = pixels.reshape(-1, 20, 30, 2)
    loops = [(TIME, 3), (STACK, 4)]
    write_nd2(tmp_path / "a.nd2", frames, loops, channels=("DAPI", "GFP"), packed=packed)
    image = read_image(tmp_path / "a.nd2")
    assert (image.axes, image.name, image.dtype) == ("tzcyx", "a", np.uint16)
    assert image.channel_names == ("DAPI", "GFP")
    assert image.voxel_size == pytest.approx((1.5, 0.325, 0.325))
    assert type(image.data).__module__.startswith("dask")
    expected = np.moveaxis(pixels, -1, 2)
    np.testing.assert_array_equal(np.asarray(image.data), expected)
    np.testing.assert_array_equal(image.plane(2, 3, 1, (5, 9, 3, 8)), expected[2, 3, 1, 5:9, 3:8])
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(image.data))), expected)


def test_positions_are_images(tmp_path: Path) -> None:
    pixels = noise(3, 2, 9, 8, 1)
    loops = [(POSITIONS, 3), (STACK, 2)]
    write_nd2(tmp_path / "a.nd2", pixels.reshape(-1, 9, 8, 1), loops, names=("A1", "", "B2"))
    images = read_images(tmp_path / "a.nd2")
    assert [image.name for image in images] == ["a A1", "a 1", "a B2"]
    assert [image.position for image in images] == [(0, 0, 200), (0, 50, 100), (0, 100, 0)]
    for image, expected in zip(images, pixels[..., 0], strict=True):
        assert (image.axes, image.channel_names) == ("zyx", ("DAPI",))
        np.testing.assert_array_equal(np.asarray(image.data), expected)


def test_positions_within_time(tmp_path: Path) -> None:
    pixels = noise(2, 3, 9, 8, 1)
    loops = [(TIME, 2), (POSITIONS, 3)]
    write_nd2(tmp_path / "a.nd2", pixels.reshape(-1, 9, 8, 1), loops, names=("", "", ""))
    for number, image in enumerate(read_images(tmp_path / "a.nd2")):
        assert (image.axes, image.name) == ("tyx", f"a {number}")
        np.testing.assert_array_equal(np.asarray(image.data), pixels[:, number, ..., 0])


def test_the_only_position_is_found_by_its_name(tmp_path: Path) -> None:
    write_nd2(tmp_path / "a.nd2", noise(1, 9, 8, 1), [(POSITIONS, 1)], names=("A1",))
    for wanted in ("A1", "0", 0):
        assert read_image(tmp_path / "a.nd2", wanted).name == "a"
    with pytest.raises(ValueError, match=r"no scene 'B2': it holds one image \(A1\)"):
        read_image(tmp_path / "a.nd2", "B2")


def test_colours(tmp_path: Path) -> None:
    pixels = noise(1, 9, 8, 3, dtype="u1")
    write_nd2(tmp_path / "a.nd2", pixels, [], channels=("Brightfield",))
    image = read_image(tmp_path / "a.nd2")
    assert (image.axes, image.rgb, image.channel_names) == ("yxc", True, ())
    np.testing.assert_array_equal(np.asarray(image.data), pixels[0])


def test_a_file_that_nobody_calibrated(tmp_path: Path) -> None:
    write_nd2(tmp_path / "a.nd2", noise(1, 9, 8, 1), [], calibrated=False)
    image = read_image(tmp_path / "a.nd2")
    assert (image.axes, image.voxel_size, image.warnings) == ("yx", None, ())


def test_steps_that_cannot_be(tmp_path: Path) -> None:
    write_nd2(tmp_path / "a.nd2", noise(4, 9, 8, 1), [(STACK, 4)], step=1500.0)
    image = read_image(tmp_path / "a.nd2")
    assert image.voxel_size is None
    assert "planes are 1500 µm apart and pixels 0.325 µm wide" in image.warnings[0]


def test_a_recording_that_was_stopped(tmp_path: Path) -> None:
    pixels = noise(6, 9, 8, 1)
    write_nd2(tmp_path / "a.nd2", pixels, [(TIME, 6)], recorded=4)
    image = read_image(tmp_path / "a.nd2")
    assert image.warnings == (
        "2 of 6 frames of 'a.nd2' were never taken, since the recording was stopped: they are 0.",
    )
    expected = np.concatenate([pixels[:4, ..., 0], np.zeros((2, 9, 8), "u2")])
    np.testing.assert_array_equal(np.asarray(image.data), expected)


def test_pixels_are_read_where_the_description_is_not(tmp_path: Path) -> None:
    pixels = noise(4, 9, 8, 1)
    write_nd2(tmp_path / "a.nd2", pixels, [(STACK, 4)], described=False)
    image = read_image(tmp_path / "a.nd2")
    assert (image.axes, image.voxel_size, image.channel_names) == ("zyx", None, ())
    assert "says of its channels and voxels cannot be read" in image.warnings[0]
    np.testing.assert_array_equal(np.asarray(image.data), pixels[..., 0])


@pytest.mark.parametrize("share", [0.001, 0.01, 0.5, 0.99])
def test_an_nd2_that_was_cut_off(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.nd2"
    write_nd2(path, noise(4, 90, 80, 1), [(STACK, 4)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(OSError, match=r"cut\.nd2' \(\d+ bytes\) is cut off or damaged"):
        read_images(path)


def test_sizes_that_lie(tmp_path: Path) -> None:
    write_nd2(tmp_path / "lie.nd2", noise(1, 9, 8, 1), [], width=10**9)
    with pytest.raises(OSError, match="a frame has 18000000000 bytes"):
        read_images(tmp_path / "lie.nd2")
