"""Headers of training images and their labels: what planes they are, whether they fit."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io import read_image, read_label_image
from napari_ssp.io.label_images import check_grey

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io import ImageSource

_PNG_START = b"\x89PNG\r\n\x1a\n"
#: Bits and kind of colours of grey PNGs; those of one bit are masks.
_PNG_GREY = (b"\x08\0", b"\x10\0")


class PlaneHeader(NamedTuple):
    """Shape (Y, X) of an image file, and whether its pixels are true and false only."""

    shape: tuple[int, int]
    is_mask: bool = False


def plane_header(image: ImageSource, channel: int | None = None) -> PlaneHeader:
    """Header of an image, without its pixels where the format allows.

    Raises
    ------
    ValueError
        When it is a stack, has no such channel, or cannot be read; others as `read_image`.
    """
    state = image.path.stat()
    return _plane_header(image, channel, state.st_mtime_ns, state.st_size)


def label_header(labels: ImageSource) -> PlaneHeader:
    """Header of labels; errors as of `plane_header`, also when they have colours or channels."""
    state = labels.path.stat()
    return _label_header(labels, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _plane_header(source: ImageSource, channel: int | None, changed: int, size: int) -> PlaneHeader:
    start = _png_start(source.path)
    if channel is None and start:
        return _png_header(start)
    return _header(read_image(source.path, source.scene), channel)


@lru_cache(maxsize=65536)
def _label_header(source: ImageSource, changed: int, size: int) -> PlaneHeader:
    start = _png_start(source.path)
    if start[24:] in _PNG_GREY:
        return _png_header(start)
    image = read_label_image(source.path, source.scene)
    check_grey(image, f"label file {source.path.name}")
    if image.num_channels > 1:
        raise ValueError(
            f"its labels have {image.num_channels} channels (shape {image.shape}); give one number "
            "per object in a single channel"
        )
    return _header(image, None)


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


def _header(image: MicroscopyImage, channel: int | None) -> PlaneHeader:
    if image.num_planes > 1:
        raise ValueError(
            f"it is a stack of {image.num_planes} planes; training takes single planes. Save those "
            "with labels as files of their own; the Train dock does that by itself"
        )
    count = image.num_channels
    if channel is not None and channel >= count:
        raise ValueError(f"it has {count} channel{'s' * (count != 1)}, so there is no {channel}")
    return PlaneHeader((image.sizes["y"], image.sizes["x"]), image.dtype.kind == "b")
