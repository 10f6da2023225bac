"""Headers of training images and their labels: what planes they are, whether they fit."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io import Scene, read_label_image, read_scenes
from napari_ssp.io.label_images import check_grey
from napari_ssp.io.reading import list_labels

if TYPE_CHECKING:
    from pathlib import Path

_PNG_START = b"\x89PNG\r\n\x1a\n"
#: Bits and kind of colours of grey PNGs; those of one bit are masks.
_PNG_GREY = (b"\x08\0", b"\x10\0")


class PlaneHeader(NamedTuple):
    """An image of a file: its shape (Y, X), and what its header tells besides.

    Attributes
    ----------
    shape : tuple of int
        (Y, X).
    channels : int
        How many there are; colours are one.
    is_mask : bool
        Whether its pixels are true and false only.
    scene : str or None
        Which image of the file it is; None where there is only one.
    """

    shape: tuple[int, int]
    channels: int = 1
    is_mask: bool = False
    scene: str | None = None


def image_headers(path: Path) -> tuple[PlaneHeader, ...]:
    """Headers of the images of a file, without their pixels where the format allows.

    Raises
    ------
    ValueError
        When one is a stack, or the file cannot be read; others as `read_scenes`.
    """
    state = path.stat()
    return _image_headers(path, state.st_mtime_ns, state.st_size)


def label_headers(path: Path) -> tuple[PlaneHeader, ...]:
    """Headers of the label images of a file.

    Raises
    ------
    ValueError
        As `image_headers`, and when one has colours or several channels.
    """
    state = path.stat()
    return _label_headers(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _image_headers(path: Path, changed: int, size: int) -> tuple[PlaneHeader, ...]:
    start = _png_start(path)
    if start:  # grey, or colours, which are one channel
        return (_png_header(start),)
    scenes = read_scenes(path)
    return tuple(map(_header, [one for one in scenes if not one.is_labels] or scenes))


@lru_cache(maxsize=65536)
def _label_headers(path: Path, changed: int, size: int) -> tuple[PlaneHeader, ...]:
    start = _png_start(path)
    if start[24:] in _PNG_GREY:
        return (_png_header(start),)
    found = []
    for source in list_labels(path):
        image = read_label_image(path, source.scene)
        check_grey(image, f"label file {path.name}")
        if image.num_channels > 1:
            raise ValueError(
                f"its labels have {image.num_channels} channels (shape {image.shape}); give one "
                "number per object in a single channel"
            )
        found.append(_header(Scene(image, True, source.scene or "")))
    return tuple(found)


def _png_start(path: Path) -> bytes:
    """First 26 bytes of a PNG; of other files none."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        start = file.read(26)
    return start if start.startswith(_PNG_START) and len(start) == 26 else b""


def _png_header(start: bytes) -> PlaneHeader:
    width, height = struct.unpack(">II", start[16:24])
    return PlaneHeader((int(height), int(width)))


def _header(scene: Scene) -> PlaneHeader:
    image = scene.image
    if image.num_planes > 1:
        raise ValueError(
            f"it is a stack of {image.num_planes} planes; training takes single planes. Save those "
            "with labels as files of their own; the Train dock does that by itself"
        )
    shape = image.sizes["y"], image.sizes["x"]
    return PlaneHeader(shape, image.num_channels, image.dtype.kind == "b", scene.name or None)
