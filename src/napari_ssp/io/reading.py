"""Reader of image files of any supported format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.io.czi.checks import CZI_START
from napari_ssp.io.lif.reading import LIF_START
from napari_ssp.io.nd2.reading import ND2_STARTS
from napari_ssp.io.ngff.archive import ARCHIVE_SUFFIX
from napari_ssp.io.ngff.reading import is_zarr
from napari_ssp.io.scene import is_cellpose_name

if TYPE_CHECKING:
    import os

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io.scene import Scene

#: Kinds of TIFF, from microscopes and slide scanners too; they are told apart by what they hold.
TIFF_SUFFIXES = (
    *(".tif", ".tiff", ".btf", ".tf8"),
    *(".lsm", ".stk", ".svs", ".ndpi", ".scn", ".qptiff", ".bif"),
)
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
CZI_SUFFIX, LIF_SUFFIX, ND2_SUFFIX, ZARR_SUFFIX = ".czi", ".lif", ".nd2", ".zarr"
#: Formats of microscopes that are no TIFF.
MAKERS_SUFFIXES = (CZI_SUFFIX, LIF_SUFFIX, ND2_SUFFIX)
#: Endings of the files that are read, in lower case; those with ".zarr" are folders.
IMAGE_SUFFIXES = (*TIFF_SUFFIXES, *PICTURE_SUFFIXES, *MAKERS_SUFFIXES, ZARR_SUFFIX, ARCHIVE_SUFFIX)
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
# Two letters at least, since "C:" is a drive.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def read_image(path: str | os.PathLike[str]) -> MicroscopyImage:
    """Read an image: TIFF (plain, ImageJ, OME), CZI, OME-Zarr 0.1 to 0.5, PNG or JPEG.

    Parameters
    ----------
    path : path-like
        The file; of OME-Zarr the folder. Of a file with several images the first is read. CZI needs
        the extra "czi" of napari-ssp.

    Returns
    -------
    MicroscopyImage
        With the file's axes, voxel size in µm, channel names and pyramid levels, as far as it has
        them. Axes of length 1 are dropped. CZI, OME-Zarr and large TIFF stay in the file until they
        are looked at. PNG palettes become colours; TIFF palettes are left out, their indices are
        the pixels. Lengths of an OME-Zarr without a unit are µm, unless all of them are 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError
        If it is a folder, and no OME-Zarr.
    ModuleNotFoundError
        If the format needs an extra that is not installed; the message names it.
    OSError
        If the file is cut off or damaged, or may not be read.
    TypeError
        If it holds complex numbers.
    ValueError
        If it is empty, of another format than those read here, or its axes cannot be told; or if
        it is not on this computer but an address.

    See Also
    --------
    read_images : all images of the file.
    """
    return read_images(path)[0]


def read_images(path: str | os.PathLike[str]) -> list[MicroscopyImage]:
    """Read all images of a file, e.g. the scenes of a CZI or the positions of an OME-TIFF.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of MicroscopyImage
        At least one, in the order of the file. Labels that an OME-Zarr keeps beside its images
        are left out; `read_scenes` has them.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, ModuleNotFoundError, OSError, TypeError, ValueError
        As `read_image`.
    """
    scenes = read_scenes(path)
    images = [scene for scene in scenes if not scene.is_labels]
    return [scene.image for scene in images or scenes]


def read_label_image(path: str | os.PathLike[str]) -> MicroscopyImage:
    """Read a file where labels are asked for: the first of its images that holds labels.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    MicroscopyImage
        As it is in the file, whole floats as integers; the first image where none is named as
        labels. `as_labels` and `number_mask` check it.

    Raises
    ------
    ValueError
        If it is a JPEG, or as `read_image`.
    FileNotFoundError, IsADirectoryError, ModuleNotFoundError, OSError, TypeError
        As `read_image`.
    """
    scenes = read_scenes(path)
    if _is_jpeg(Path(path)):
        raise ValueError(
            f"'{path}' is a JPEG, which changes numbers to save space, so it holds no labels. Save "
            "them as PNG or TIFF."
        )
    return next((scene.image for scene in scenes if scene.is_labels), scenes[0].image)


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
    FileNotFoundError, IsADirectoryError, ModuleNotFoundError, OSError, TypeError, ValueError
        As `read_image`.
    """
    file = Path(path)
    _check_path(file)
    if is_zarr(file):
        from napari_ssp.io.ngff.reading import read_zarr

        return read_zarr(file)
    if is_cellpose_name(file):
        from napari_ssp.io.cellpose_files import read_cellpose

        return [read_cellpose(file)]
    with file.open("rb") as handle:
        start = handle.read(16)
    # Each format's libraries take a while to import.
    if start.startswith(_TIFF_STARTS):
        from napari_ssp.io.tiff.reading import read_tiff

        return read_tiff(file)
    if start.startswith((_PNG_START, _JPEG_START)):
        from napari_ssp.io.pictures import read_picture

        return [read_picture(file)]
    if start.startswith(CZI_START):
        from napari_ssp.io.czi.reading import read_czi

        return read_czi(file)
    if start.startswith(LIF_START):
        from napari_ssp.io.lif.reading import read_lif

        return read_lif(file)
    if start.startswith(ND2_STARTS):
        from napari_ssp.io.nd2.reading import read_nd2

        return read_nd2(file)
    if not start:
        raise ValueError(f"'{file}' is empty (0 bytes). Copy or export it again.")
    raise ValueError(
        f"'{file}' is named as an image but begins with {start!r}, which is neither TIFF, CZI, PNG "
        "nor JPEG. Export it again in one of these formats; renaming a file does not convert it."
    )


def _is_jpeg(file: Path) -> bool:
    if file.is_dir():
        return False
    with file.open("rb") as handle:
        return handle.read(len(_JPEG_START)) == _JPEG_START


def _check_path(file: Path) -> None:
    if _ADDRESS.match(str(file)):
        raise ValueError(
            f"'{file}' is an address, but only files on this computer (or on a drive that it has "
            "mounted) are read. Download it first and give the name of the local copy."
        )
    if not file.exists():
        raise FileNotFoundError(f"There is no file '{file}'. Check the name and the folder.")
    suffix = file.suffix.lower()
    if is_zarr(file):
        return
    if file.is_dir():
        raise IsADirectoryError(f"'{file}' is a folder. Give the image files in it one by one.")
    if suffix in (ZARR_SUFFIX, ARCHIVE_SUFFIX):
        raise ValueError(
            f"'{file}' is neither a folder nor a zip, as an OME-Zarr is. Copy or export it again."
        )
    if suffix not in IMAGE_SUFFIXES and not is_cellpose_name(file):
        raise ValueError(
            f"'{file}' ends with '{suffix}', but the formats read here are "
            f"{', '.join(IMAGE_SUFFIXES)}. Save it as an OME-TIFF, e.g. from Fiji with Bio-Formats."
        )
