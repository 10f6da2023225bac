"""Reader of image files of any supported format."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_ssp.atomic import is_special
from napari_ssp.io.czi.checks import CZI_START
from napari_ssp.io.errors import reading
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.io.lif.reading import LIF_START
from napari_ssp.io.nd2.reading import ND2_STARTS
from napari_ssp.io.ngff.archive import ARCHIVE_SUFFIX
from napari_ssp.io.ngff.reading import is_zarr
from napari_ssp.io.scene import (
    UNFINISHED,
    ImageSource,
    find_scenes,
    image_stem,
    is_cellpose_name,
    list_names,
)

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
_COMPANION = ".companion.ome"
# Two letters at least, since "C:" is a drive.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

# Endings of a longer name, a folder that somebody zipped.
_ZIPPED = ".zarr.zip"
# TIFFs whose pages are previews: cameras' raw data, and Olympus slides with their pixels elsewhere.
_PREVIEWS = (".cr2", ".nef", ".arw", ".dng", ".orf", ".pef", ".rw2", ".srw", ".vsi")

Format = Literal["zarr", "tiff", "czi", "lif", "nd2", "cellpose", "picture"]
#: How files begin, whatever their names.
_STARTS: dict[bytes, Format] = {
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff"),
    **dict.fromkeys((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"), "picture"),
    CZI_START: "czi",
    LIF_START: "lif",
    **dict.fromkeys(ND2_STARTS, "nd2"),
}


def read_image(
    path: str | os.PathLike[str], scene: str | int | None = None, missing: str = "refuse"
) -> MicroscopyImage:
    """Read an image: TIFF and its kinds, CZI, ND2, LIF, OME-Zarr 0.1 to 0.5, PNG or JPEG.

    Parameters
    ----------
    path : path-like
        The file, by whatever name; of OME-Zarr the folder or its zip; of an OME-TIFF in several
        files any one of them. CZI, ND2 and LIF need the extras "czi", "nd2" and "lif".
    scene : str or int, optional
        Which image of a file with several: its name, or its number from 0. Of a plate "A/1/0" is
        the field 0 of the well A1. Without it the first is read, and a warning on it says so.
    missing : str
        "refuse", or "zeros" for planes of 0 where a file of a set of files is missing.

    Returns
    -------
    MicroscopyImage
        With the file's axes, voxel size in µm, channel names and pyramid levels, as far as it has
        them, and warnings of what is not believed. Axes of length 1 are dropped. CZI, ND2, LIF,
        OME-Zarr and large TIFF stay in the file until they are looked at. PNG palettes become
        colours; TIFF palettes are left out, their indices are the pixels. Lengths of an OME-Zarr
        without a unit are µm, unless all of them are 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or a file of the set is missing.
    IsADirectoryError
        If it is a folder, and no OME-Zarr.
    ModuleNotFoundError
        If the format needs an extra that is not installed; the message names it.
    OSError
        If the file is cut off or damaged, or may not be read.
    TypeError
        If it holds complex numbers.
    ValueError
        If it is empty, of another format than those read here, has no such scene, or its axes
        cannot be told; or if it is not on this computer but an address.

    See Also
    --------
    read_images : all images of the file.
    """
    found = read_scenes(path, 0 if scene is None else scene, missing)
    image = _images(found)[0]
    if scene is not None or not found[0].name:
        return image
    names = [str(source.scene) for source in list_images(path)]
    if len(names) == 1:  # a well of one field
        return image
    return _as_first(image, path, names)


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
    return _images(read_scenes(path))


def read_label_image(
    path: str | os.PathLike[str], scene: str | int | None = None
) -> MicroscopyImage:
    """Read a file where labels are asked for.

    Parameters
    ----------
    path : path-like
        The file.
    scene : str or int, optional
        Which of its label images, by name or number from 0. Without it the first is read, and a
        warning on it says so.

    Returns
    -------
    MicroscopyImage
        As it is in the file, whole floats as integers; of an OME-Zarr its labels, and where it has
        none its images. `as_labels` and `number_mask` check it.

    Raises
    ------
    ValueError
        If it is a JPEG, or as `read_image`.
    FileNotFoundError, IsADirectoryError, ModuleNotFoundError, OSError, TypeError
        As `read_image`.
    """
    if not is_zarr(Path(path)):
        image = read_image(path, scene)
        if _is_jpeg(Path(path)):
            raise ValueError(
                f"'{path}' is a JPEG, which changes numbers to save space, so it holds no labels. "
                "Save them as PNG or TIFF."
            )
        return image
    if scene is not None:
        return _find_labels(path, scene).image
    first, *others = _label_scenes(path)
    names = [one.name for one in (first, *others)]
    return _as_first(first.image, path, names) if others else first.image


def list_labels(path: str | os.PathLike[str]) -> list[ImageSource]:
    """List a file's label images as `list_images`: of an OME-Zarr its labels, else all images."""
    if not is_zarr(Path(path)):
        return list_images(path)
    return [ImageSource(Path(path), s.name or None, s.image.name) for s in _label_scenes(path)]


def read_scenes(
    path: str | os.PathLike[str], scene: str | int | None = None, missing: str = "refuse"
) -> list[Scene]:
    """Read all images of a file, or some, and whether they hold labels.

    Parameters
    ----------
    path : path-like
        The file.
    scene : str or int, optional
        The only image to read, as of `read_image`; "A/1" are all fields of the well A1.
    missing : str
        As of `read_image`.

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
    found = find_format(file)
    with reading(file):
        return _read(file, found, scene, missing)


def _read(file: Path, found: Format, scene: str | int | None, missing: str) -> list[Scene]:
    # Each format's libraries take a while to import.
    match found:
        case "zarr":
            from napari_ssp.io.ngff.reading import read_zarr

            return read_zarr(file, scene)
        case "tiff":
            from napari_ssp.io.tiff.reading import read_tiff

            return read_tiff(file, scene=scene, missing=missing)
        case "czi":
            from napari_ssp.io.czi.reading import read_czi

            return read_czi(file, scene)
        case "lif":
            from napari_ssp.io.lif.reading import read_lif

            return read_lif(file, scene)
        case "nd2":
            from napari_ssp.io.nd2.reading import read_nd2

            return read_nd2(file, scene)
        case "cellpose":
            from napari_ssp.io.cellpose_files import read_cellpose

            scenes = [read_cellpose(file)]
        case "picture":
            from napari_ssp.io.pictures import read_picture

            scenes = [read_picture(file)]
    chosen = range(1) if scene is None else find_scenes([""], scene, file)
    return [scenes[k] for k in chosen]


def is_image_name(path: Path) -> bool:
    """Whether a file of a folder is taken for an image, by the end of its name alone."""
    return path.suffix.lower() in IMAGE_SUFFIXES or path.name.lower().endswith(_ZIPPED)


def list_images(path: str | os.PathLike[str]) -> list[ImageSource]:
    """List the images of a file by their names; pixels are not read.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of ImageSource
        At least one, in the order of the file; labels beside images are left out.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, ModuleNotFoundError, OSError, ValueError
        As `read_image`.
    """
    file = Path(path)
    found = find_format(file)
    with reading(file):
        return _list(file, found)


def _list(file: Path, found: Format) -> list[ImageSource]:
    match found:
        case "zarr":
            from napari_ssp.io.ngff.reading import list_zarr

            return list_zarr(file)
        case "tiff":
            from napari_ssp.io.tiff.reading import list_tiff

            return list_tiff(file)
        case "lif":
            from napari_ssp.io.lif.reading import list_lif

            return list_lif(file)
        case "czi" | "nd2":
            scenes = _read(file, found, None, "refuse")
            return [ImageSource(file, one.name or None, one.image.name) for one in scenes]
    return [ImageSource(file, None, image_stem(file))]


def list_set(path: Path) -> tuple[Path, ...]:
    """List the files that hold the images of a path together; of most it is the only one.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, OSError, ValueError
        As `read_image`.
    """
    if find_format(path) != "tiff":
        return (path,)
    from napari_ssp.io.tiff.reading import list_files

    return list_files(path)


def find_format(file: Path) -> Format:
    """Tell a file's format by its content.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, OSError, ValueError
        As `read_image`.
    """
    _check_path(file)
    if is_zarr(file):
        return "zarr"
    if is_cellpose_name(file):
        return "cellpose"
    with file.open("rb") as handle:
        start = handle.read(16)
    for beginning, known in _STARTS.items():
        if start.startswith(beginning) and file.suffix.lower() not in _PREVIEWS:
            return known
    raise _unknown(file, start)


def _unknown(file: Path, start: bytes) -> ValueError:
    suffix = file.suffix.lower()
    if is_left_by_system(file):
        return ValueError(
            f"'{file}' is no image: the system keeps its own notes in files of this name. Leave it "
            "out, and give the image that lies beside it."
        )
    if suffix not in IMAGE_SUFFIXES:
        return ValueError(
            f"'{file}' ends with '{suffix}', but the formats read here are "
            f"{', '.join(IMAGE_SUFFIXES)}. Save it as an OME-TIFF, e.g. from Fiji with Bio-Formats."
        )
    if not start:
        return ValueError(f"'{file}' is empty (0 bytes). Copy or export it again.")
    if suffix in (ZARR_SUFFIX, ARCHIVE_SUFFIX):
        return ValueError(
            f"'{file}' is neither a folder nor a zip, as an OME-Zarr is. Copy or export it again."
        )
    return ValueError(
        f"'{file}' is named as an image but begins with {start!r}, which is none of the formats "
        "read here. Export it again, e.g. as OME-TIFF; renaming a file does not convert it."
    )


def _is_jpeg(file: Path) -> bool:
    with file.open("rb") as handle:
        return handle.read(3) == b"\xff\xd8\xff"


def _label_scenes(path: str | os.PathLike[str]) -> list[Scene]:
    scenes = read_scenes(path)
    return [scene for scene in scenes if scene.is_labels] or scenes


def _find_labels(path: str | os.PathLike[str], wanted: str | int) -> Scene:
    """Find labels in an OME-Zarr; where they bear the name of an image, read no other one."""
    image = str(wanted).rpartition(" ")[0]  # of "A/1/0 cells"
    with suppress(ValueError):  # no such image
        near = read_scenes(path, image) if image else []
        if found := [scene for scene in near if scene.is_labels and scene.name == wanted]:
            return found[0]
    labels = _label_scenes(path)
    return labels[find_scenes([one.name for one in labels], wanted, Path(path))[0]]


def _as_first(
    image: MicroscopyImage, path: str | os.PathLike[str], names: list[str]
) -> MicroscopyImage:
    doubt = (
        f"'{path}' holds {list_names(names)}; the first, '{names[0]}', is taken. Name another one "
        "as scene (--scene on the command line)."
    )
    return replace(image, warnings=(*image.warnings, doubt))


def _images(scenes: list[Scene]) -> list[MicroscopyImage]:
    images = [scene for scene in scenes if not scene.is_labels]
    return [scene.image for scene in images or scenes]


def _check_finished(file: Path) -> None:
    for folder in (file, *file.parents):
        if folder.suffix == UNFINISHED:
            raise ValueError(
                f"'{folder}' is a result that is being made or was stopped, and no image yet. It "
                f"becomes '{folder.stem}' when it is complete: run Segment with the same settings "
                "again, or the command with --resume."
            )


def _check_path(file: Path) -> None:
    if _ADDRESS.match(file.as_posix()):  # Windows turns the slashes of a path
        raise ValueError(
            f"'{file}' is an address, but only files on this computer (or on a drive that it has "
            "mounted) are read. Download it first and give the name of the local copy."
        )
    if not file.exists():
        raise FileNotFoundError(f"There is no file '{file}'. Check the name and the folder.")
    # Opening a FIFO would wait for ever.
    if is_special(file):
        raise ValueError(
            f"'{file}' is no file but a device, FIFO or socket, from which no image is read. Save "
            "what it gives to a file first."
        )
    _check_finished(file)
    if file.is_dir() and not is_zarr(file):
        raise IsADirectoryError(f"'{file}' is a folder. Give the image files in it one by one.")
    if file.name.lower().endswith(_COMPANION):
        raise ValueError(
            f"'{file}' only describes the images of a set of files. Give one of the TIFF files "
            "beside it."
        )
