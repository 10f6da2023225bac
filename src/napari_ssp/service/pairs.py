"""Folders of images and labels, found by names and headers, and read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_ssp.io import IMAGE_SUFFIXES, image_stem, is_cellpose_name, read_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: A label file is named after its image with one of these endings.
LABEL_ENDINGS = ("_label", "_labels", "_masks", "_cp_masks", "_seg", "")
_PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Pair:
    """An image file and its label file.

    Attributes
    ----------
    image, labels : pathlib.Path
        The files.
    shape : tuple of int
        (Y, X) of both.
    """

    image: Path
    labels: Path
    shape: tuple[int, int]

    @property
    def name(self) -> str:
        """File name of the image without its suffix."""
        return str(image_stem(self.image))


@dataclass(frozen=True)
class FolderScan:
    """What a folder of training images holds.

    Attributes
    ----------
    pairs : tuple of Pair
        What can be used, by the names of the images.
    strays : tuple of pathlib.Path
        Files that are no images, and labels of no image; they are skipped.
    problems : tuple of str
        What is wrong with the others, one line each.
    count : int
        How many images there are, usable or not.
    """

    pairs: tuple[Pair, ...] = ()
    strays: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    count: int = 0


def scan_pairs(folder: Path, exclude: Iterable[str] = ()) -> FolderScan:
    """Pair the files of ``folder/images`` and ``folder/labels``, reading headers only.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``images`` and ``labels``; a label file is named as its image plus ``_label``,
        ``_labels``, ``_masks``, ``_cp_masks``, ``_seg`` or nothing.
    exclude : iterable of str
        Names, without suffix, of images to leave out.
    """
    missing = [part for part in ("images", "labels") if not (folder / part).is_dir()]
    if missing:
        words = " and ".join(f"'{part}'" for part in missing)
        return FolderScan(
            problems=(
                f"Training data needs the folders 'images' and 'labels' in {folder}; "
                f"{words} is missing.",
            )
        )
    left_out = set(exclude)
    images, strays = _files(folder / "images")
    labels, more = _files(folder / "labels")
    by_stem = {image_stem(path): path for path in labels}
    wanted = [path for path in images if image_stem(path) not in left_out]
    used = {_label_of(path, by_stem) for path in images}
    found = [_pair(image, _label_of(image, by_stem)) for image in wanted]
    pairs = tuple(one for one in found if isinstance(one, Pair))
    problems = [one for one in found if isinstance(one, str)]
    if not wanted:
        problems.append(f"{folder}: no images at all.")
    lonely = [path for path in labels if path not in used]
    return FolderScan(pairs, (*strays, *more, *lonely), tuple(problems), len(wanted))


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Images of a folder and other files; hidden ones count as neither."""
    shown = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    images = [p for p in shown if p.suffix.lower() in IMAGE_SUFFIXES or is_cellpose_name(p)]
    return images, [path for path in shown if path not in set(images)]


def _label_of(image: Path, by_stem: Mapping[str, Path]) -> Path | None:
    for ending in LABEL_ENDINGS:
        if image_stem(image) + ending in by_stem:
            return by_stem[image_stem(image) + ending]
    return None


def _pair(image: Path, labels: Path | None) -> Pair | str:
    """Pair of two files, or what is wrong with them."""
    if labels is None:
        return (
            f"{image}: no label file for {image.name}. Name labels like their image with '_label' "
            "added, e.g. a.png and a_label.tiff."
        )
    try:
        shapes = plane_shape(image), plane_shape(labels)
    except (OSError, ValueError, TypeError, ImportError) as error:
        return f"{image.name}: {error}"
    if shapes[0] != shapes[1]:
        return f"{image.name}: the image is {shapes[0]} and its labels are {shapes[1]}"
    return Pair(image, labels, shapes[0])


def plane_shape(path: Path) -> tuple[int, int]:
    """(Y, X) of an image file, from its header where the format allows."""
    state = path.stat()
    return _plane_shape(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _plane_shape(path: Path, changed: int, size: int) -> tuple[int, int]:
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(24)
        if start.startswith(_PNG_START) and len(start) == 24:
            width, height = struct.unpack(">II", start[16:])
            return int(height), int(width)
    image = read_image(path)
    if image.num_planes > 1:
        raise ValueError(
            f"it is a stack of {image.num_planes} planes; training takes single planes. Save those "
            "with labels as files of their own; the Train dock does that by itself"
        )
    return image.sizes["y"], image.sizes["x"]
