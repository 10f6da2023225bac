"""LIF files, written here: the format is a description in XML and blocks of pixels."""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.io import find_images, read_image, read_images
from napari_ssp.io.napari_reader import get_reader

if TYPE_CHECKING:
    from pathlib import Path

liffile = pytest.importorskip("liffile")

NUMBERS = {"X": 1, "Y": 2, "Z": 3, "T": 4, "λ": 5, "A": 6, "M": 10}
MICROMETRES = {"X": 0.2, "Y": 0.25, "Z": 1.5}


def text(words: str) -> bytes:
    raw = words.encode("utf-16-le")
    return struct.pack("<I", len(words)) + raw


def element(
    name: str, pixels: np.ndarray, axes: str, names: tuple[str, ...], sizes: dict[str, float]
) -> str:
    """What the file says of one image; "C" are its channels, "S" samples of a colour."""
    item = pixels.itemsize
    strides = dict(zip(axes, pixels.strides, strict=True))
    dimensions = "".join(
        f'<DimensionDescription DimID="{NUMBERS[a]}" NumberOfElements="{n}" Origin="0" '
        f'Length="{sizes.get(a, 1e6) * 1e-6 * (n - 1):.9g}" Unit="m" BitInc="0" '
        f'BytesInc="{strides[a]}"/>'
        for a, n in zip(axes, pixels.shape, strict=True)
        if a not in "CS"
    )
    letter = next((a for a in axes if a in "CS"), "")
    count = pixels.shape[axes.index(letter)] if letter else 1
    step = strides.get(letter, 0)
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="{k + 1 if letter == "S" else 0}" '
        f'Resolution="{8 * item}" NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" '
        f'LUTName="Gray {k}" IsLUTInverted="0" BytesInc="{k * step}" BitInc="0">'
        + (
            f"<ChannelProperty><Key>DyeName</Key><Value>{names[k]}</Value></ChannelProperty>"
            if names
            else ""
        )
        + "</ChannelDescription>"
        for k in range(count)
    )
    stage = "".join(f'<Tile PosX="{1e-4 * (3 - k)}" PosY="0.002"/>' for k in range(pixels.shape[0]))
    flip = int(name.startswith("flipped"))
    tiles = f'<Attachment Name="TileScanInfo" FlipX="{flip}" SwapXY="0">{stage}</Attachment>'
    return (
        f'<Element Name="{name}" UniqueID="{name}"><Data><Image><ImageDescription><Channels>'
        f"{channels}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription>{tiles}"
        "</Image>"
        f'</Data><Memory Size="{pixels.nbytes}" MemoryBlockID="{name}"/></Element>'
    )


def write_lif(
    path: Path, *images: tuple[str, np.ndarray, str, tuple[str, ...]], **sizes: Any
) -> None:
    sizes = sizes or MICROMETRES
    parts = "".join(element(name, *rest, sizes) for name, *rest in images)
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="project" UniqueID="p"><Children>'
        f"{parts}</Children></Element></LMSDataContainerHeader>"
    )
    head = text(xml)
    data = struct.pack("<IIB", 0x70, len(head) + 1, 0x2A) + head
    for name, pixels, *_ in images:
        label = text(name)
        data += struct.pack("<IIBQB", 0x70, len(label) + 10, 0x2A, pixels.nbytes, 0x2A)
        data += label + pixels.tobytes()
    path.write_bytes(data)


def noise(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def test_a_stack_with_channels(tmp_path: Path) -> None:
    pixels = noise(3, 4, 2, 20, 30)
    write_lif(tmp_path / "cells.lif", ("Series001", pixels, "TZCYX", ("DAPI", "GFP")))
    image = read_image(tmp_path / "cells.lif")
    assert (image.axes, image.name, image.dtype) == ("tzcyx", "cells", np.uint16)
    assert image.channel_names == ("DAPI", "GFP")
    assert image.voxel_size == pytest.approx((1.5, 0.25, 0.2))
    np.testing.assert_array_equal(np.asarray(image.data), pixels)
    assert type(image.data).__module__.startswith("dask")
    np.testing.assert_array_equal(image.plane(2, 3, 1, (5, 9, 3, 8)), pixels[2, 3, 1, 5:9, 3:8])
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(image.data))), pixels)


def test_every_image_and_every_position_of_a_mosaic(tmp_path: Path) -> None:
    mosaic, single = noise(2, 20, 30), noise(9, 8, dtype="u1")
    path = tmp_path / "plate.lif"
    write_lif(path, ("tiles", mosaic, "MYX", ()), ("overview", single, "YX", ()))
    images = read_images(path)
    assert [image.name for image in images] == [
        "plate tiles 0",
        "plate tiles 1",
        "plate overview",
    ]
    for image, expected in zip(images, (*mosaic, single), strict=True):
        assert image.axes == "yx"
        np.testing.assert_array_equal(np.asarray(image.data), expected)
    assert images[0].channel_names == ("Gray 0",)
    assert [image.position for image in images] == [
        pytest.approx((0, 0, 100)),
        (0, 0, 0),
        (0, 0, 0),
    ]
    write_lif(path, ("flipped", mosaic, "MYX", ()))
    assert [image.position for image in read_images(path)] == [(0, 0, 0)] * 2


def test_colours(tmp_path: Path) -> None:
    pixels = noise(20, 30, 3, dtype="u1")
    write_lif(tmp_path / "he.lif", ("tissue", pixels, "YXS", ()))
    image = read_image(tmp_path / "he.lif")
    assert (image.axes, image.rgb) == ("yxc", True)
    np.testing.assert_array_equal(np.asarray(image.data), pixels)


def test_colours_are_read_only_of_the_image_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, whole = [], liffile.LifImage.asarray

    def noted(image: Any, **options: Any) -> np.ndarray:
        read.append(image.name)
        return whole(image, **options)

    monkeypatch.setattr(liffile.LifImage, "asarray", noted)
    path = tmp_path / "he.lif"
    tiles, single = noise(2, 20, 30, 3, dtype="u1"), noise(20, 30, 3, dtype="u1")
    write_lif(path, ("tiles", tiles, "MYXS", ()), ("tissue", single, "YXS", ()))
    sources, _ = find_images([path])
    assert [source.scene for source in sources] == ["tiles 0", "tiles 1", "tissue"]
    assert read == []
    np.testing.assert_array_equal(np.asarray(read_image(path, "tiles 1").data), tiles[1])
    assert read == ["tiles"]
    read_images(path)
    assert read == ["tiles", "tiles", "tissue"]


def test_what_is_no_image_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "scan.lif"
    turns = ("turns", noise(4, 9, 8), "AYX", ())
    write_lif(path, ("cells", noise(9, 8), "YX", ()), turns)
    (image,) = read_images(path)
    assert (image.name, image.warnings) == (
        "scan",
        ("Left out of 'scan.lif', being no images: turns.",),
    )
    write_lif(path, turns)
    with pytest.raises(ValueError, match=r"holds no image of time.*but turns"):
        read_images(path)


def test_lengths_that_cannot_be(tmp_path: Path) -> None:
    write_lif(tmp_path / "a.lif", ("a", noise(9, 8), "YX", ()), X=0.2, Y=200.0)
    image = read_image(tmp_path / "a.lif")
    assert image.voxel_size is None
    assert "200 µm high and 0.2 µm wide" in image.warnings[0]


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.5, 0.99])
def test_a_lif_that_was_cut_off(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.lif"
    write_lif(path, ("a", noise(3, 90, 80), "ZYX", ()), ("b", noise(90, 80), "YX", ()))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(OSError, match=r"cut\.lif' \(\d+ bytes\) is cut off or damaged"):
        read_images(path)


def test_a_lif_that_is_cut_off_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "cut.lif"
    write_lif(path, ("a", noise(3, 90, 80), "ZYX", ()))
    image = read_image(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(OSError, match=r"cut\.lif' \(\d+ bytes\) is cut off or damaged"):
        image.plane()


def test_sizes_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "lie.lif"
    write_lif(path, ("a", noise(90, 80), "YX", ()))
    told, lie = 'NumberOfElements="80"', 'NumberOfElements="99"'
    path.write_bytes(path.read_bytes().replace(told.encode("utf-16-le"), lie.encode("utf-16-le")))
    with pytest.raises(OSError, match="damaged"):
        read_images(path)


def test_a_description_that_was_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.lif"
    write_lif(path, ("a", noise(90, 80), "YX", ()))
    path.write_bytes(path.read_bytes().replace("</Data>".encode("utf-16-le"), b"<\0" * 7))
    with pytest.raises(OSError, match="is cut off or damaged: ParseError"):
        read_images(path)


def test_napari_offers_it() -> None:
    assert get_reader("cells.lif") is not None
