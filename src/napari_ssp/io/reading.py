"""Open an image file of any supported format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io.scene import Scene

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
#: Endings of the files that are read, in lower case.
IMAGE_SUFFIXES = (*TIFF_SUFFIXES, *PICTURE_SUFFIXES)
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_LATER = {
    ".czi": "Save it as an OME-TIFF from ZEN or Fiji",
    ".zarr": "Save it as an OME-TIFF from Fiji or with tifffile",
}


def read_image(path: str | os.PathLike[str]) -> MicroscopyImage:
    """Read an image file: TIFF (plain, ImageJ, OME), PNG or JPEG.

    Parameters
    ----------
    path : path-like
        The file. Of a file with several images the first is read.

    Returns
    -------
    MicroscopyImage
        With the file's axes, voxel size in µm, channel names and pyramid levels, as far as it has
        them. Axes of length 1 are dropped. Large TIFF files stay in the file until they are looked
        at. PNG palettes become colours; TIFF palettes are left out, their indices are the pixels.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError
        If it is a folder.
    OSError
        If the file is cut off or damaged, or may not be read.
    TypeError
        If it holds complex numbers.
    ValueError
        If it is empty, of another format than those read here, or its axes cannot be told.

    See Also
    --------
    read_images : all images of the file.
    """
    return read_images(path)[0]


def read_images(path: str | os.PathLike[str]) -> list[MicroscopyImage]:
    """Read all images of a file, e.g. the positions of an OME-TIFF.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of MicroscopyImage
        At least one, in the order of the file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, OSError, TypeError, ValueError
        As `read_image`.
    """
    return [scene.image for scene in read_scenes(path)]


def read_scenes(path: str | os.PathLike[str]) -> list[Scene]:
    """Read all images of a file, and whether they hold labels.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of Scene
        At least one, in the order of the file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, OSError, TypeError, ValueError
        As `read_image`.
    """
    file = Path(path)
    _check_path(file)
    with file.open("rb") as handle:
        start = handle.read(16)
    # Each format's libraries take a while to import.
    if start.startswith(_TIFF_STARTS):
        from napari_ssp.io.tiff import read_tiff

        return read_tiff(file)
    if start.startswith((_PNG_START, _JPEG_START)):
        from napari_ssp.io.pictures import read_picture

        return [read_picture(file)]
    if not start:
        raise ValueError(f"'{file}' is empty (0 bytes). Copy or export it again.")
    raise ValueError(
        f"'{file}' is named as an image but begins with {start!r}, which is neither TIFF, PNG nor "
        "JPEG. Export it again in one of these formats; renaming a file does not convert it."
    )


def _check_path(file: Path) -> None:
    if not file.exists():
        raise FileNotFoundError(f"There is no file '{file}'. Check the name and the folder.")
    suffix = file.suffix.lower()
    if suffix in _LATER:
        raise ValueError(f"'{file}': this version does not read {suffix} yet. {_LATER[suffix]}.")
    if file.is_dir():
        raise IsADirectoryError(f"'{file}' is a folder. Give the image files in it one by one.")
    if suffix not in IMAGE_SUFFIXES:
        raise ValueError(
            f"'{file}' ends with '{suffix}', but the formats read here are "
            f"{', '.join(IMAGE_SUFFIXES)}. Save it as an OME-TIFF, e.g. from Fiji with Bio-Formats."
        )
