"""Reader of PNG and JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import imagecodecs

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.scene import Scene

if TYPE_CHECKING:
    from pathlib import Path

_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_TAIL = 4096
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
        Grey "yx" or colours "yxc" in 8 or 16 bits. Alpha is kept beside colours and dropped beside
        grey, palettes become colours.

    Raises
    ------
    OSError
        If the file is cut off or damaged.
    ValueError
        If it is a CMYK JPEG.
    """
    data = path.read_bytes()
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
    image = _image(pixels, path.stem)
    return Scene.of(image, path.stem)


def _image(pixels: Any, name: str) -> MicroscopyImage:
    if pixels.ndim > 2 and pixels.shape[2] < _RGB:
        pixels = pixels[..., 0]
    colour = pixels.ndim > 2
    return MicroscopyImage(pixels, "yxc" if colour else "yx", name=name, rgb=colour)


def _damaged(path: Path, size: int, cause: Exception | str) -> OSError:
    return OSError(
        f"'{path}' ({size} bytes) is cut off or damaged: {cause}. Copy or export it again."
    )
