"""Reader of PNG and JPEG."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import imagecodecs

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.memory import check_fits
from napari_ssp.io.scene import Scene

if TYPE_CHECKING:
    from pathlib import Path

_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_TAIL = 4096
# Of the first chunk of a PNG: width, height, bits per sample, kind of colour; and its samples,
# as they come once palettes are colours.
_PNG_HEAD = struct.Struct(">16xIIBB")
_PNG_SAMPLES = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
# Of a JPEG: its mark, kind and length; and of frames bits, height, width and samples.
_JPEG_FRAME = struct.Struct(">BBHBHHB")
_FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_RGB, _CMYK = 3, 4


def read_picture(path: Path) -> Scene:
    """Read a PNG or JPEG file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    Scene
        Grey "yx" or colours "yxc" in 8 or 16 bits; black and white of one bit is bool. Alpha is
        kept beside colours and dropped beside grey, palettes become colours.

    Raises
    ------
    OSError
        If the file is cut off or damaged.
    ValueError
        If it is a CMYK JPEG.
    """
    data = path.read_bytes()
    shape, itemsize = _claimed(data)
    check_fits(path, shape, itemsize, "its pixels")
    jpeg = data.startswith(_JPEG_START)
    # libjpeg fills what is missing with grey and says nothing.
    if jpeg and _JPEG_END not in data[-_TAIL:]:
        raise _damaged(path, len(data), "the end marker is missing")
    try:
        pixels = imagecodecs.jpeg_decode(data) if jpeg else imagecodecs.png_decode(data)
    except (RuntimeError, ValueError) as error:
        raise _damaged(path, len(data), error) from error
    if jpeg and pixels.shape[2:] == (_CMYK,):
        raise ValueError(
            f"'{path}' is a JPEG in CMYK, the colours of printing. Convert it to RGB first."
        )
    if not jpeg and _has_one_bit(data):
        pixels = pixels > 0
    image = _image(pixels, path.stem)
    return Scene.of(image, path.stem)


def _claimed(data: bytes) -> tuple[tuple[int, ...], int]:
    """Shape and bytes per value that the head of a file states; nothing where it is damaged."""
    if data.startswith(_JPEG_START):
        return _jpeg_shape(data), 1
    if len(data) < _PNG_HEAD.size:
        return (), 1
    width, height, bits, kind = _PNG_HEAD.unpack_from(data)
    return (height, width, _PNG_SAMPLES.get(kind, _CMYK)), 2 if bits == 16 else 1


def _has_one_bit(data: bytes) -> bool:
    """Whether a PNG is black and white, as the masks of other programs are."""
    _, _, bits, kind = _PNG_HEAD.unpack_from(data)
    return bool(bits == 1 and kind == 0)


def _jpeg_shape(data: bytes) -> tuple[int, ...]:
    """Go from marker to marker until one starts a frame."""
    place = 2
    while place + _JPEG_FRAME.size <= len(data):
        _, marker, length, _, height, width, samples = _JPEG_FRAME.unpack_from(data, place)
        if marker in _FRAME_MARKERS:
            return height, width, samples
        place += 2 + length
    return ()


def _image(pixels: Any, name: str) -> MicroscopyImage:
    if pixels.ndim > 2 and pixels.shape[2] < _RGB:
        pixels = pixels[..., 0]
    colour = pixels.ndim > 2
    return MicroscopyImage(pixels, "yxc" if colour else "yx", name=name, rgb=colour)


def _damaged(path: Path, size: int, cause: Exception | str) -> OSError:
    return OSError(
        f"'{path}' ({size} bytes) is cut off or damaged: {cause}. Copy or export it again."
    )
