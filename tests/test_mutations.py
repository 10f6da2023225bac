"""Damaged files: the right pixels, or one sentence; never a traceback, a hang or a leftover."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_scenes, write_image, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED = int(os.environ.get("NAPARI_SSP_MUTATIONS_SEED", "0"))
COUNT = int(os.environ.get("NAPARI_SSP_MUTATIONS", "20"))
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 60000, (3, 40, 48)).astype("u2")
LABELS = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((10, 12), int)).astype("u2")
LABELS[::10] = 0


def write_czi(path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        for z, plane in enumerate(PIXELS):
            file.write(data=plane[..., None], plane={"C": 0, "T": 0, "Z": z})


def write_cellpose(path: Path) -> None:
    np.save(path, {"masks": LABELS, "outlines": LABELS * 0, "filename": "a.tif"}, allow_pickle=True)


TILES = {"tile": (16, 16), "compression": "zlib", "photometric": "minisblack"}
WRITERS: dict[str, Callable[[Path], Any]] = {
    "plain.tif": lambda p: tifffile.imwrite(p, PIXELS, photometric="minisblack", metadata=None),
    "imagej.tif": lambda p: tifffile.imwrite(p, PIXELS, imagej=True, metadata={"axes": "ZYX"}),
    "plane.ome.tif": lambda p: write_image(p, MicroscopyImage(PIXELS, "zyx", (1, 0.5, 0.5))),
    "tiled.tif": lambda p: tifffile.imwrite(p, PIXELS, **TILES),
    "image.ome.zarr": lambda p: write_image(p, MicroscopyImage(PIXELS, "zyx", (1, 0.5, 0.5))),
    "grey.png": lambda p: p.write_bytes(imagecodecs.png_encode(PIXELS[0])),
    "colours.jpg": lambda p: p.write_bytes(
        imagecodecs.jpeg_encode(RNG.integers(0, 255, (40, 48, 3)).astype("u1"))
    ),
    "stack.czi": write_czi,
    "cells_seg.npy": write_cellpose,
    "cells_label.tif": lambda p: write_labels(p, LABELS),
}
#: Formats whose pixels have a checksum, or none at all: a changed bit is another right picture.
UNCHECKED = ("plain.tif", "imagej.tif", "colours.jpg", "stack.czi", "cells_seg.npy")


def flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 8))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def zero(data: bytearray, chance: random.Random) -> None:
    start, length = chance.randrange(len(data)), chance.choice((4, 64, 512))
    data[start : start + length] = bytes(len(data[start : start + length]))


def swap(data: bytearray, chance: random.Random) -> None:
    length = chance.choice((2, 8, 64))
    a, b = (chance.randrange(max(1, len(data) - length)) for _ in range(2))
    data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]


def stretch(data: bytearray, chance: random.Random) -> None:
    """Write a number that is too large where lengths are: in the first or the last bytes."""
    number = chance.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0, 65536, 1 << 24))
    place = chance.randrange(min(len(data), 512))
    place = place if chance.random() < 0.6 else max(0, len(data) - 4 - place)
    data[place : place + 4] = number.to_bytes(4, chance.choice(("little", "big")))


MUTATIONS = (flip, cut, zero, swap, stretch)


def digits(data: bytearray, chance: random.Random) -> None:
    """Change a number in text, as metadata hold it."""
    places = [k for k, byte in enumerate(data) if 48 <= byte <= 57]
    if places:
        data[chance.choice(places)] = chance.choice(b"0923456789-.e,")


def damaged(original: Path, target: Path, chance: random.Random) -> None:
    """Copy a file, or a folder, with one change in one file."""
    if original.is_dir():
        shutil.copytree(original, target)
        files = [path for path in sorted(target.rglob("*")) if path.is_file()]
        place = chance.choice(files)
    else:
        shutil.copy(original, target)
        place = target
    data = bytearray(place.read_bytes())
    chance.choice((*MUTATIONS, digits))(data, chance)
    place.write_bytes(data)


def is_sentence(text: str, path: Path) -> bool:
    return len(text.splitlines()) == 1 and len(text) < 900 and text.endswith(".")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("originals")


def read(path: Path) -> list[np.ndarray]:
    return [np.asarray(scene.image.data) for scene in read_scenes(path)]


def check(path: Path, folder: Path) -> None:
    """Read a file and measure it."""
    try:
        read(path)
    except (OSError, ValueError, TypeError, MemoryError) as error:
        assert is_sentence(str(error), path), repr(error)
    before = sorted(folder.iterdir())
    result = CliRunner().invoke(main, ["measure", str(path), "-o", str(folder / "out.csv")])
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    if result.exit_code:
        assert result.exit_code in (1, 2), result.output
        said = result.stderr.partition("Error: ")[2].strip()
        assert is_sentence(said, path), result.stderr
    else:
        (folder / "out.csv").unlink()
    assert sorted(folder.iterdir()) == before


@pytest.mark.filterwarnings("ignore")  # libraries warn of damage in many ways
@pytest.mark.parametrize("name", WRITERS)
def test_a_damaged_file_ends_well(name: str, originals: Path, tmp_path: Path) -> None:
    original = originals / name
    WRITERS[name](original)
    chance = random.Random(f"{SEED} {name}")
    for number in range(COUNT):
        path = tmp_path / str(number) / name
        path.parent.mkdir()
        damaged(original, path, chance)
        check(path, path.parent)
        shutil.rmtree(path.parent)
