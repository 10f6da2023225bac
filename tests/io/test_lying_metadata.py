"""Metadata that lie: one sentence each, before anything is read or made for them."""

from __future__ import annotations

import json
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, read_scenes, write_image
from napari_ssp.io.objects.tables import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STACK = np.random.default_rng(0).integers(0, 60000, (3, 20, 24)).astype("u2")
ENTITIES = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 9))
MODULO = (
    '<StructuredAnnotations><XMLAnnotation ID="A" Namespace="dimension/modulo"><Value><Modulo>'
    "<ModuloAlongZ {}/></Modulo></Value></XMLAnnotation></StructuredAnnotations>"
)


def ome(
    data: str = "<TiffData/>", order: str = "XYZCT", head: str = "", more: str = "", **sizes: str
) -> str:
    """OME-XML of the stack, with what is to be wrong."""
    lengths = {"X": "24", "Y": "20", "Z": "3", "C": "1", "T": "1"} | sizes
    text = " ".join(f'Size{axis}="{length}"' for axis, length in lengths.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<OME xmlns="http://www.openmicroscopy.org/'
        f'Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="P" DimensionOrder="{order}" '
        f'Type="uint16" {text}><Channel ID="C" SamplesPerPixel="1"/>{data}</Pixels></Image>'
        f"{more}</OME>"
    )


def write(path: Path, description: str) -> Path:
    tifffile.imwrite(
        path, STACK, photometric="minisblack", description=description.encode(), metadata=None
    )
    return path


LIES = {
    **{
        f"{axis}={length}": (ome(**{axis: length}), f"Size{axis} '{length}', which is no length")
        for axis, length in [
            ("X", "abc"),
            ("Y", "-3"),
            ("Z", "0"),
            ("C", "99999999999999999999"),
            ("T", str(2**62)),
            ("X", "1e3"),
        ]
    },
    "too many": (ome(Z="100000000"), "counts 100000000 planes"),
    "fewer": (ome(Z="2"), "count 2 planes, but there are 3"),
    "order": (ome(order="XYZTT"), "DimensionOrder 'XYZTT'"),
    "count": (ome('<TiffData PlaneCount="10000000000"/>'), "PlaneCount '10000000000'"),
    "number": (ome('<TiffData IFD="-5" PlaneCount="2"/>'), "IFD '-5'"),
    "part": (ome("<TiffData><UUID>urn:uuid:1</UUID></TiffData>"), "KeyError"),
    "steps": (ome(more=MODULO.format('Start="0" End="1e12"')), "divides an axis"),
    "no step": (ome(more=MODULO.format('Start="0" End="5" Step="0"')), "divides an axis"),
    "bomb": (
        ome(head=f'<!DOCTYPE x [<!ENTITY e0 "a">{ENTITIES}]>', more="<a>&e8;</a>"),
        "declares entities",
    ),
    "other file": (
        ome(head='<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', more="<a>&a;</a>"),
        "refers to other files",
    ),
    "ImageJ more": ("ImageJ=1.53t\nimages=100\nslices=100\n", "count 100 images, but there are 3"),
    "ImageJ fewer": ("ImageJ=1.53t\nimages=2\nslices=2\n", "count 2 images, but there are 3"),
    "ImageJ none": ("ImageJ=1.53t\nimages=3\nslices=0\n", "count 0 slices"),
    "shape longer": ('{"shape": [3000000000, 20, 24]}', "should reach to byte"),
    "shape no number": ('{"shape": "x"}', "invalid literal"),
    "shape nested": ('{"shape": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested without end"),
}


@pytest.mark.parametrize("kind", LIES)
def test_a_tiff_whose_metadata_lie(tmp_path: Path, kind: str) -> None:
    text, said = LIES[kind]
    path = write(tmp_path / "lie.ome.tif", text)
    with pytest.raises(
        OSError, match=r"lie\.ome\.tif' \(\d+ bytes\) is .*damaged: .*again"
    ) as caught:
        read_scenes(path)
    assert said in str(caught.value)
    assert str(caught.value).count("\n") == 0


DOUBTS = {
    "width": (ome(X="7"), "speaks of 7 x 20 pixels; there are 24 x 20"),
    "no page": (ome('<TiffData IFD="1000"/>'), "does not fit its pages"),
    "damaged": (ome().replace("</Pixels>", "</Pix"), "Its OME-XML is damaged"),
    "ImageJ": ("ImageJ=1.53t\nimages=3\nslices=2\nframes=2\n", "count 4 planes"),
    "nested": (ome(more=f"<a>{'<b>' * 50_000}{'</b>' * 50_000}</a>"), ""),
}


@pytest.mark.parametrize("kind", DOUBTS)
def test_pixels_that_are_there_are_read_with_a_warning(tmp_path: Path, kind: str) -> None:
    text, said = DOUBTS[kind]
    image = read_image(write(tmp_path / "odd.ome.tif", text))
    np.testing.assert_array_equal(image.data, STACK)
    assert len(image.warnings) == bool(said)
    assert said in " ".join(image.warnings)


def test_a_zeroed_block_of_an_ome_tiff(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.ome.tif", MicroscopyImage(STACK, "zyx"))
    whole = path.read_bytes()
    for start in range(0, len(whole) - 64, 97):
        path.write_bytes(whole[:start] + bytes(64) + whole[start + 64 :])
        try:
            np.asarray(read_image(path).data)
        except (OSError, ValueError) as error:
            assert str(path) in str(error)


def change(*keys: Any) -> Callable[[Any], None]:
    *keys, value = keys

    def apply(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return apply


CHUNKS = ("chunk_grid", "configuration", "chunk_shape")
ZARR_LIES = {
    "no chunk": (change(*CHUNKS, [0, 20, 24]), OSError, r"in chunks of \(0, 20, 24\)"),
    "huge chunk": (change(*CHUNKS, [10**6] * 3), MemoryError, r"its chunks are 1000000 x"),
    "odd chunk": (change(*CHUNKS, [1, "a", 24]), ValueError, "metadata cannot be read"),
    "no shape": (change("shape", [0, 20, 24]), OSError, r"has the shape \(0, 20, 24\)"),
    "huge shape": (change("shape", [3, 10**7, 10**7]), OSError, "more than any image"),
    "endless": (change("shape", [2**70, 20, 24]), OSError, "more than any image"),
    "negative": (change("shape", [3, -20, 24]), ValueError, "metadata cannot be read"),
    "type": (change("data_type", "foo"), ValueError, "metadata cannot be read"),
    "codec": (change("codecs", [{"name": "nope"}]), ValueError, "metadata cannot be read"),
}


@pytest.mark.parametrize("kind", ZARR_LIES)
def test_a_zarr_whose_metadata_lie(tmp_path: Path, kind: str) -> None:
    apply, error, said = ZARR_LIES[kind]
    path = write_image(tmp_path / "a.ome.zarr", MicroscopyImage(STACK, "zyx"))
    file = path / "0" / "zarr.json"
    content = json.loads(file.read_text())
    apply(content)
    file.write_text(json.dumps(content))
    with pytest.raises(error, match=said) as caught:
        np.asarray(read_image(path).data)
    assert str(path) in str(caught.value)


def test_a_zarr_with_nested_metadata(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.ome.zarr", MicroscopyImage(STACK, "zyx"))
    (path / "zarr.json").write_text('{"a":' * 50_000 + "1" + "}" * 50_000)
    with pytest.raises(
        OSError, match=r"a\.ome\.zarr' is cut off or damaged: its metadata are nested"
    ):
        read_image(path)


def test_a_picture_that_claims_more_than_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_ssp.io.memory.memory_size", lambda: 10**9)
    png, jpeg = tmp_path / "a.png", tmp_path / "a.jpg"
    head = b"IHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    checked = head + struct.pack(">I", zlib.crc32(head))
    png.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\r" + checked)
    with pytest.raises(MemoryError, match=r"its pixels are 2147483647 x 2147483647 x 3 values"):
        read_image(png)
    whole = imagecodecs.jpeg_encode(np.zeros((8, 8, 3), np.uint8))
    frame = whole.index(b"\xff\xc0")
    jpeg.write_bytes(whole[: frame + 5] + b"\xff" * 4 + whole[frame + 9 :])
    with pytest.raises(MemoryError, match=r"its pixels are 65535 x 65535 x 3 values, which take"):
        read_image(jpeg)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    for name in ("a.tif", "a_seg.npy", "a.csv", "a.zip"):
        os.mkfifo(tmp_path / name)
    for name in ("a.tif", "a_seg.npy"):
        with pytest.raises(ValueError, match="is no file but a device, FIFO or socket"):
            read_image(tmp_path / name)
    with pytest.raises(ValueError, match="is no file but"):
        read_rows(tmp_path / "a.csv")
    path = write_image(tmp_path / "a.ome.zarr", MicroscopyImage(STACK, "zyx"))
    (path / "0" / "zarr.json").unlink()
    os.mkfifo(path / "0" / "zarr.json")
    with pytest.raises(OSError, match="the metadata of its part '0' are no file"):
        read_image(path)
