"""Reader of Leica LIF files: all images and positions, lazily."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.calibration import calibrate
from napari_ssp.io.errors import damage_error, import_extra, reading
from napari_ssp.io.lazy import as_dask
from napari_ssp.io.lif.metadata import lif_channels, lif_corners, lif_lengths
from napari_ssp.io.mapped import MappedArray
from napari_ssp.io.scene import (
    ImageSource,
    Scene,
    choose_scenes,
    image_name,
    image_stem,
    scene_names,
)

if TYPE_CHECKING:
    from pathlib import Path

#: How every LIF begins; the length of its description follows.
LIF_START = b"\x70\0\0\0"

_LIBRARY, _EXTRA = "liffile", "lif"
_MOSAIC = "M"
# The library's letters; "S" are samples of a colour, "λ" emissions, and a mosaic's are positions.
_LETTERS = {"T": "t", "C": "c", "Z": "z", "Y": "y", "X": "x", "S": "c", "λ": "c", _MOSAIC: ""}
_COLOURS = (3, 4)


@dataclass(frozen=True)
class _Part:
    """One image of the file, or one position of it."""

    image: Any
    name: str
    position: int | None = None
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
        parts, odd = _find_parts(file, path)
        names, chosen = choose_scenes([part.name for part in parts], wanted, path)
        doubts = (f"Left out of '{path.name}', being no images: {', '.join(odd)}.",) if odd else ()
        pixels = lru_cache(maxsize=1)(partial(_pixels, path=path))  # shared by positions
        return [_scene(parts[k], pixels(parts[k].image), path, names[k], doubts) for k in chosen]


def list_lif(path: Path) -> list[ImageSource]:
    """List the images of a LIF file; parameter and errors as of `read_lif`."""
    library = import_extra(_LIBRARY, _EXTRA, path)
    with reading(path), library.LifFile(path) as file:
        names = scene_names([part.name for part in _find_parts(file, path)[0]])
    return [ImageSource(path, name or None, image_name(image_stem(path), name)) for name in names]


def _find_parts(file: Any, path: Path) -> tuple[list[_Part], list[str]]:
    """Images of a file, and the names of what is none."""
    odd = [image.name for image in file.images if not _has_place(image)]
    images = [image for image in file.images if _has_place(image)]
    for image in images:
        block = image.memory_block
        if block.offset + block.size > path.stat().st_size or image.nbytes > block.size:
            raise damage_error(path, f"the pixels of '{image.name}' are not all there")
    if not images and odd:
        raise ValueError(
            f"'{path}' holds no image of time, channels, z, y and x, but {', '.join(odd)}. Export "
            "what you need as OME-TIFF from LAS X."
        )
    if not images:
        raise damage_error(path, "there is no image in it")
    return [part for image in images for part in _parts(image)], odd


def _has_place(image: Any) -> bool:
    """Whether the axes of an image are ours: no lifetimes, line scans or rotations."""
    if image.is_flim:
        return False
    letters = [_LETTERS.get(letter, "?") for letter in image.dims]
    return "?" not in letters and len(set(letters)) == len(letters) and {"y", "x"} <= set(letters)


def _parts(image: Any) -> list[_Part]:
    if _MOSAIC not in image.dims:
        return [_Part(image, image.name)]
    corners, count = lif_corners(image.xml_element), image.sizes[_MOSAIC]
    corners = corners if len(corners) == count else [(0.0, 0.0, 0.0)] * count
    return [_Part(image, f"{image.name} {n}", n, c) for n, c in enumerate(corners)]


def _pixels(image: Any, path: Path) -> Any:
    block = image.memory_block
    if "S" in image.dims or image.nbytes != block.size:
        return image.asarray()  # which knows of blue before red, and of padded rows
    return as_dask(MappedArray(str(path), image.dtype, block.offset, image.shape))


def _scene(part: _Part, pixels: Any, path: Path, name: str, doubts: tuple[str, ...]) -> Scene:
    image, element = part.image, part.image.xml_element
    axes = "".join(_LETTERS[letter] for letter in image.dims)
    if part.position is not None:
        pixels = pixels[(slice(None),) * image.dims.index(_MOSAIC) + (part.position,)]
    rgb = "S" in image.dims and image.sizes["S"] in _COLOURS
    channels = pixels.shape[axes.index("c")] if "c" in axes and not rgb else 1
    names, calibration = lif_channels(element), calibrate(lif_lengths(element), "z" in axes)
    found = MicroscopyImage(
        data=pixels,
        axes=axes,
        voxel_size=calibration.voxel_size,
        channel_names=names if len(names) == channels and all(names) else (),
        name=image_name(image_stem(path), name),
        rgb=rgb,
        position=part.corner if calibration.voxel_size else (0.0, 0.0, 0.0),
        warnings=(*calibration.warnings, *doubts),
    )
    return Scene.of(found, image_stem(path), name=name)
