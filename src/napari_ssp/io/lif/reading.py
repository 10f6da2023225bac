"""Reader of Leica LIF files: all images and positions, lazily."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import calibrate
from napari_ssp.io.errors import damage_error, import_extra, reading
from napari_ssp.io.lazy import as_dask
from napari_ssp.io.lif.metadata import lif_channels, lif_corners, lif_lengths
from napari_ssp.io.mapped import MappedArray
from napari_ssp.io.scene import Scene, choose_scenes, image_name, image_stem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_ssp.io.calibration import Lengths

#: How every LIF begins; the length of its description follows.
LIF_START = b"\x70\0\0\0"

_LIBRARY, _EXTRA = "liffile", "lif"
# The library's letters; "S" are samples of a colour, "M" positions of a mosaic, "λ" emissions.
_LETTERS = {"T": "t", "C": "c", "Z": "z", "Y": "y", "X": "x", "S": "c", "λ": "c", "M": "p"}
_POSITIONS = "p"
_COLOURS = (3, 4)


@dataclass(frozen=True)
class _Part:
    """One image of the file, or one position of it."""

    array: Any
    axes: str
    name: str
    lengths: Lengths
    channel_names: tuple[str, ...]
    rgb: bool
    corner: tuple[float, float, float] = (0.0, 0.0, 0.0)


def read_lif(path: Path, wanted: str | int | None = None) -> list[Scene]:
    """Read all images of a LIF file, or one; pixels stay in the file until they are looked at.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    wanted : str or int, optional
        Name or number of the only image to read.

    Returns
    -------
    list of Scene
        In the order of the file, each position of a mosaic for itself, beside each other as the
        stage says. Colours are read at once. What is no image of time, channels, z, y and x (such
        as histograms of lifetimes) is left out, and said.

    Raises
    ------
    ModuleNotFoundError
        If liffile is not installed.
    OSError
        If the file is cut off or damaged.
    ValueError
        If nothing is left, or there is no such image.
    """
    library = import_extra(_LIBRARY, _EXTRA, path)
    with reading(path), library.LifFile(path) as file:
        odd = [image.name for image in file.images if not _has_place(image)]
        images = [image for image in file.images if _has_place(image)]
        parts = [part for image in images for part in _parts(image, path)]
    if not parts and odd:
        raise ValueError(
            f"'{path}' holds no image of time, channels, z, y and x, but {', '.join(odd)}. Export "
            "what you need as OME-TIFF from LAS X."
        )
    if not parts:
        raise damage_error(path, "there is no image in it")
    return _scenes(path, parts, odd, wanted)


def _has_place(image: Any) -> bool:
    """Whether the axes of an image are ours: no lifetimes, line scans or rotations."""
    if image.is_flim:
        return False
    letters = [_LETTERS.get(letter, "?") for letter in image.dims]
    return "?" not in letters and len(set(letters)) == len(letters) and {"y", "x"} <= set(letters)


def _parts(image: Any, path: Path) -> Iterator[_Part]:
    array, axes = _pixels(image, path), "".join(_LETTERS[letter] for letter in image.dims)
    names, element = lif_channels(image.xml_element), image.xml_element
    rgb = "S" in image.dims and image.sizes["S"] in _COLOURS
    channels = array.shape[axes.index("c")] if "c" in axes and not rgb else 1
    whole = _Part(
        array,
        axes,
        image.name,
        lif_lengths(element),
        names if len(names) == channels and all(names) else (),
        rgb,
    )
    if _POSITIONS not in axes:
        yield whole
        return
    place, left = axes.index(_POSITIONS), axes.replace(_POSITIONS, "")
    count, corners = array.shape[place], lif_corners(element)
    for number in range(count):
        tile = array[(slice(None),) * place + (number,)]
        part = replace(whole, array=tile, axes=left, name=f"{image.name} {number}")
        yield replace(part, corner=corners[number]) if len(corners) == count else part


def _pixels(image: Any, path: Path) -> Any:
    block = image.memory_block
    if block.offset + block.size > path.stat().st_size or image.nbytes > block.size:
        raise damage_error(path, f"the pixels of '{image.name}' are not all there")
    if "S" in image.dims or image.nbytes != block.size:
        return image.asarray()  # which knows of blue before red, and of padded rows
    return as_dask(MappedArray(str(path), image.dtype, block.offset, image.shape))


def _scenes(
    path: Path, parts: list[_Part], odd: list[str], wanted: str | int | None
) -> list[Scene]:
    stem, scenes = image_stem(path), []
    names, chosen = choose_scenes([part.name for part in parts], wanted, path)
    doubts = (f"Left out of '{path.name}', being no images: {', '.join(odd)}.",) if odd else ()
    for number in chosen:
        part = parts[number]
        calibration = calibrate(part.lengths, "z" in part.axes)
        image = MicroscopyImage(
            data=part.array,
            axes=part.axes,
            voxel_size=calibration.voxel_size,
            channel_names=part.channel_names,
            name=image_name(stem, names[number]),
            rgb=part.rgb,
            position=part.corner if calibration.voxel_size else (0.0, 0.0, 0.0),
            warnings=(*calibration.warnings, *doubts),
        )
        scenes.append(Scene.of(image, stem, name=names[number]))
    return scenes
