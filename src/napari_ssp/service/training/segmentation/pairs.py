"""Folders and tables of images and labels: found by names, checked by headers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_ssp.atomic import is_special
from napari_ssp.io import IMAGE_SUFFIXES, image_stem, is_cellpose_name, read_image
from napari_ssp.service.training.pair_tables import (
    TRAINING_SPLITS,
    parse_channel,
    read_lines,
    require,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_COLUMNS = ("image", "label")
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
    channel : int or None
        Channel of the image, from 0; None is its colours, or the first.
    """

    image: Path
    labels: Path
    shape: tuple[int, int]
    channel: int | None = None

    @property
    def name(self) -> str:
        """File name of the image without its suffix."""
        return str(image_stem(self.image))


@dataclass(frozen=True)
class PairScan:
    """What a folder or a table of training images holds.

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


def scan_pairs(
    source: Path, exclude: Iterable[str] = (), splits: Sequence[str] = TRAINING_SPLITS
) -> PairScan:
    """Pair the images and labels of a folder or a table, reading headers only.

    Parameters
    ----------
    source : pathlib.Path
        Folder that holds ``images`` and ``labels``; a label file is named as its image plus
        ``_label``, ``_labels``, ``_masks``, ``_cp_masks``, ``_seg`` or nothing. Or a CSV file with
        the columns ``image`` and ``label``, and possibly ``channel`` and ``split``; paths are
        relative to the file.
    exclude : iterable of str
        Names, without suffix, of images to leave out.
    splits : sequence of str
        Lines of a table count whose split is one of these; in a table without the column all do.
    """
    if source.is_file():
        return _of_table(source, set(exclude), splits)
    return _of_folder(source, set(exclude))


def _of_folder(folder: Path, left_out: set[str]) -> PairScan:
    missing = [part for part in ("images", "labels") if not (folder / part).is_dir()]
    if missing:
        words = " and ".join(f"'{part}'" for part in missing)
        return PairScan(
            problems=(
                f"Training data needs the folders 'images' and 'labels' in {folder}; "
                f"{words} is missing.",
            )
        )
    images, strays = _files(folder / "images")
    labels, more = _files(folder / "labels")
    by_stem = {image_stem(path): path for path in labels}
    wanted = [path for path in images if image_stem(path) not in left_out]
    used = {_label_of(path, by_stem) for path in images}
    lonely = [path for path in labels if path not in used]
    return _scan(
        folder,
        [_pair(image, _label_of(image, by_stem)) for image in wanted],
        (*strays, *more, *lonely),
    )


def _of_table(path: Path, left_out: set[str], splits: Sequence[str]) -> PairScan:
    try:
        lines = read_lines(path, _COLUMNS, ("channel",), splits)
    except ValueError as error:
        return PairScan(problems=(str(error),))
    wanted = [line for line in lines if image_stem(path / line.values["image"]) not in left_out]
    found = []
    for number, values in wanted:
        one = _of_line(path.parent, values)
        found.append(f"{path.name}, line {number}: {one}" if isinstance(one, str) else one)
    return _scan(path, found)


def _of_line(folder: Path, values: Mapping[str, str]) -> Pair | str:
    """Pair of a line, or what is wrong with it."""
    try:
        require(values, _COLUMNS)
        channel = parse_channel(values.get("channel", ""))
    except ValueError as error:
        return str(error)
    image, labels = (folder / values[name] for name in _COLUMNS)
    gone = [path for path in (image, labels) if not path.exists()]
    if gone:
        return f"there is no file {' and no '.join(str(path) for path in gone)}"
    return _pair(image, labels, channel)


def _scan(source: Path, found: Sequence[Pair | str], strays: Iterable[Path] = ()) -> PairScan:
    pairs = tuple(one for one in found if isinstance(one, Pair))
    problems = [one for one in found if isinstance(one, str)]
    if not found:
        problems.append(f"{source}: no images at all.")
    return PairScan(pairs, tuple(strays), tuple(problems), len(found))


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Images of a folder and other files; hidden ones count as neither."""
    shown = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    named = [p for p in shown if p.suffix.lower() in IMAGE_SUFFIXES or is_cellpose_name(p)]
    images = [path for path in named if not is_special(path)]
    return images, [path for path in shown if path not in set(images)]


def _label_of(image: Path, by_stem: Mapping[str, Path]) -> Path | None:
    for ending in LABEL_ENDINGS:
        if image_stem(image) + ending in by_stem:
            return by_stem[image_stem(image) + ending]
    return None


def _pair(image: Path, labels: Path | None, channel: int | None = None) -> Pair | str:
    """Pair of two files, or what is wrong with them."""
    if labels is None:
        return (
            f"{image}: no label file for {image.name}. Name labels like their image with '_label' "
            "added, e.g. a.png and a_label.tiff."
        )
    try:
        shapes = plane_shape(image, channel), plane_shape(labels)
    except (OSError, ValueError, TypeError, ImportError) as error:
        return f"{image.name}: {error}"
    if shapes[0] != shapes[1]:
        return f"{image.name}: the image is {shapes[0]} and its labels are {shapes[1]}"
    return Pair(image, labels, shapes[0], channel)


def plane_shape(path: Path, channel: int | None = None) -> tuple[int, int]:
    """(Y, X) of an image file, from its header where the format allows.

    Raises
    ------
    ValueError
        When it is a stack, has no such channel, or cannot be read; others as `read_image`.
    """
    state = path.stat()
    return _plane_shape(path, channel, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _plane_shape(path: Path, channel: int | None, changed: int, size: int) -> tuple[int, int]:
    if path.is_file() and channel is None:
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
    count = image.num_channels
    if channel is not None and channel >= count:
        raise ValueError(f"it has {count} channel{'s' * (count != 1)}, so there is no {channel}")
    return image.sizes["y"], image.sizes["x"]
