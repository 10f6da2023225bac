"""OME-Zarr in one zip, as RFC-9 has it and as people zip their folders."""

from __future__ import annotations

import json
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import find_images, read_image, read_scenes, write_image, write_labels
from napari_ssp.io.napari_reader import get_reader

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.random.default_rng(0).integers(0, 250, (2, 3, 40, 50)).astype("u2")


def folder(path: Path) -> Path:
    image = MicroscopyImage(PIXELS, "czyx", (2.0, 0.5, 0.5), ("DAPI", "GFP"), name="cells")
    return write_image(path / "cells.ome.zarr", image)


def zipped(path: Path, source: Path, top: str = "", kind: int = zipfile.ZIP_STORED) -> Path:
    files = sorted(file for file in source.rglob("*") if file.is_file())
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.comment = json.dumps({"ome": {"version": "0.5"}}).encode()
        for file in files:
            archive.write(file, top + file.relative_to(source).as_posix())
    return path


@pytest.mark.parametrize(
    ("name", "top", "kind"),
    [
        ("cells.ozx", "", zipfile.ZIP_STORED),
        ("cells.ome.zarr.zip", "", zipfile.ZIP_DEFLATED),
        ("cells.ome.zarr.zip", "cells.ome.zarr/", zipfile.ZIP_DEFLATED),
        ("cells.zarr.zip", "any name/", zipfile.ZIP_STORED),
        ("cells.ome.zarr", "", zipfile.ZIP_STORED),
        ("cells.OZX", "", zipfile.ZIP_STORED),
    ],
)
def test_a_zip_is_read_as_its_folder(tmp_path: Path, name: str, top: str, kind: int) -> None:
    (tmp_path / "source").mkdir()
    path = zipped(tmp_path / name, folder(tmp_path / "source"), top, kind)
    image = read_image(path)
    assert (image.axes, image.name) == ("czyx", "cells")
    assert (image.voxel_size, image.channel_names) == ((2.0, 0.5, 0.5), ("DAPI", "GFP"))
    np.testing.assert_array_equal(np.asarray(image.data), PIXELS)
    np.testing.assert_array_equal(
        image.plane(z=2, channel=1, region=(3, 9, 4, 8)), PIXELS[1, 2, 3:9, 4:8]
    )
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(image.data))), PIXELS)
    assert get_reader(str(path)) is not None
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "source"])


def test_labels_in_a_zip(tmp_path: Path) -> None:
    source = folder(tmp_path)
    nuclei = np.ones((3, 40, 50), "u4")
    write_labels(source / "labels" / "nuclei", nuclei, axes="zyx", voxel_size=(2, 0.5, 0.5))
    scenes = read_scenes(zipped(tmp_path / "cells.ozx", source))
    assert [(scene.image.name, scene.is_labels) for scene in scenes] == [
        ("cells", False),
        ("cells nuclei", True),
    ]


def test_zips_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = folder(tmp_path / "source")
    zipped(tmp_path / "a.ozx", source)
    zipped(tmp_path / "b.ome.zarr.zip", source)
    zipped(tmp_path / "results.zip", source)
    found, _ = find_images([tmp_path])
    assert [(one.path.name, one.name) for one in found] == [("a.ozx", "a"), ("b.ome.zarr.zip", "b")]


@pytest.mark.parametrize("share", [0.1, 0.6, 0.99])
def test_a_zip_that_was_cut_off(tmp_path: Path, share: float) -> None:
    path = zipped(tmp_path / "cells.ozx", folder(tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(OSError, match=r"cells\.ozx' \(\d+ bytes\) is cut off or damaged"):
        read_image(path)


def test_a_block_that_was_damaged(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cells.ozx", folder(tmp_path))
    with zipfile.ZipFile(path) as archive:
        block = next(e for e in archive.infolist() if "/c/" in e.filename)
    data = bytearray(path.read_bytes())
    place = block.header_offset + 30 + len(block.filename)
    data[place : place + 8] = b"\xff" * 8
    path.write_bytes(bytes(data))
    with pytest.raises(OSError, match="a block cannot be read"):
        np.asarray(read_image(path).data)


def test_a_description_that_was_damaged(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cells.ozx", folder(tmp_path))
    data = bytearray(path.read_bytes())
    data[data.index(b"multiscales")] = ord("M")
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"metadata cannot be read .*Bad CRC"):
        read_image(path)


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        ({"notes.txt": b"hello"}, ValueError, "is a zip that holds no Zarr"),
        ({"a/zarr.json": b"{}", "b/zarr.json": b"{}"}, ValueError, r"holds 2 Zarrs \(a, b\)"),
        ({"zarr.json": b"{}"}, ValueError, "cannot be read|no OME-Zarr|without an OME-Zarr"),
        ({"zarr.json": b"not json"}, ValueError, "metadata cannot be read"),
        ({"../zarr.json": b"{}"}, ValueError, "metadata cannot be read|without an OME-Zarr"),
    ],
)
def test_other_zips(tmp_path: Path, entries: dict[str, bytes], error: Any, message: str) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(error, match=message):
        read_image(path)
    assert [p.name for p in tmp_path.iterdir()] == ["other.zip"]


def test_a_zip_that_unfolds_without_end(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.ozx", folder(tmp_path), kind=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        entry = archive.infolist()[-1]
    data = bytearray(path.read_bytes())
    place = data.rindex(entry.filename.encode()) - 46 + 24  # its size in the list at the end
    data[place : place + 4] = (3 * 2**30).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(OSError, match="unfolds to 3221225472 bytes"):
        read_image(path)


def test_a_file_that_is_no_zip(tmp_path: Path) -> None:
    path = tmp_path / "cells.ozx"
    path.write_bytes(b"hello")
    with pytest.raises(ValueError, match="neither a folder nor a zip"):
        read_image(path)
