"""Folders and tables of images and labels: found by names, checked by headers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.atomic import is_special
from napari_ssp.io import image_stem, is_cellpose_name, is_image_name
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.io.label_names import sort_files
from napari_ssp.io.scene import image_name
from napari_ssp.io.sources import without_members
from napari_ssp.labels import explain_shapes
from napari_ssp.service.training.pair_tables import (
    TRAINING_SPLITS,
    parse_channel,
    read_lines,
    require,
)
from napari_ssp.service.training.segmentation.matching import match_files, match_image
from napari_ssp.service.training.segmentation.plane_headers import (
    label_header,
    plane_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_ssp.io import ImageSource
    from napari_ssp.service.training.segmentation.matching import Match

_COLUMNS = ("image", "label")
#: Folders of label files beside "images": ours, and StarDist's.
_LABEL_FOLDERS = ("labels", "masks")


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
    is_mask : bool
        Whether the labels are true and false only, without numbers.
    scene, label_scene : str or None
        Which images of the files, where these hold several.
    """

    image: Path
    labels: Path
    shape: tuple[int, int]
    channel: int | None = None
    is_mask: bool = False
    scene: str | None = None
    label_scene: str | None = None

    @property
    def name(self) -> str:
        """File name of the image without its suffix, and the scene's name."""
        return image_name(image_stem(self.image), self.scene or "")


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
    notes : tuple of str
        Files that belong to the set of another one.
    """

    pairs: tuple[Pair, ...] = ()
    strays: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    count: int = 0
    notes: tuple[str, ...] = ()


def scan_pairs(
    source: Path, exclude: Iterable[str] = (), splits: Sequence[str] = TRAINING_SPLITS
) -> PairScan:
    """Pair the images and labels of a folder or a table, reading headers only.

    Parameters
    ----------
    source : pathlib.Path
        Folder that holds ``images`` and ``labels`` (or ``masks``); a label file is named as its
        image, possibly with one of `napari_ssp.io.LABEL_ENDINGS`. Or a folder in which images and
        labels with such an ending lie side by side, as cellpose has them. Or a folder with such a
        folder for each split, e.g. ``train``. Or a CSV file with the columns ``image`` and
        ``label``, and possibly ``channel`` and ``split``; paths are relative to the file.
        All images of a file with several are paired with those of a label file, or with label files
        of their own names.
    exclude : iterable of str
        Names, without suffix, of images to leave out.
    splits : sequence of str
        Lines of a table, or folders, count whose split is one of these; in a table without the
        column all do, and so does the folder itself.
    """
    if source.is_file():
        return _of_table(source, set(exclude), splits)
    return _of_folder(source, set(exclude), splits)


def _of_folder(source: Path, left_out: set[str], splits: Sequence[str]) -> PairScan:
    inside = [source / split if split else source for split in splits]
    if source.name == "images" and "" in splits:
        inside.append(source.parent)
    places = [folder for folder in inside if folder.is_dir() and _find_files(folder)]
    files = _find_files(places[0]) if places else None
    if files is None:
        return PairScan(problems=(_no_layout(source),)) if "" in splits else PairScan()
    images, notes = without_members(files.images)
    by_stem = {image_stem(path): path for path in files.labels}
    found = [match for path in images for match in match_image(path, by_stem)]
    used = {match.labels.path for match in found if match.labels}
    lonely = [path for path in files.labels if path not in used]
    wanted = [match for match in found if not _is_left_out(match.image, left_out)]
    bare: list[Path] = []
    if files.side_by_side:  # who annotates there does so one by one
        bare = [m.image.path for m in wanted if m.labels is None and not m.problem]
        wanted = [match for match in wanted if match.labels or match.problem]
    scan = _scan(places[0], map(_pair, wanted), (*files.others, *lonely, *dict.fromkeys(bare)))
    return replace(scan, notes=tuple(notes))


def _is_left_out(image: ImageSource, left_out: set[str]) -> bool:
    return bool({image.name, image_stem(image.path)} & left_out)


class _FolderFiles(NamedTuple):
    images: Sequence[Path]
    labels: Sequence[Path]
    others: Sequence[Path]
    side_by_side: bool = False


def _find_files(folder: Path) -> _FolderFiles | None:
    """Images and labels of a folder by its layout; None where it has none of those known."""
    for part in _LABEL_FOLDERS:
        if (folder / "images").is_dir() and (folder / part).is_dir():
            found, others = _files(folder / "images")
            labels, more = _files(folder / part)
            images, beside, _ = sort_files(found)
            named, more_named, _ = sort_files(labels)
            return _FolderFiles(images, [*named, *more_named], [*others, *beside, *more])
    for place in (folder, folder / "images"):
        found, others = _files(place) if place.is_dir() else ([], [])
        images, labels, _ = sort_files(found)
        if labels:
            return _FolderFiles(images, labels, others, side_by_side=True)
    return None


def _no_layout(folder: Path) -> str:
    missing = [part for part in ("images", "labels") if not (folder / part).is_dir()]
    words = " and ".join(f"'{part}'" for part in missing)
    return (
        f"Training data needs the folders 'images' and 'labels' in {folder}, or labels beside "
        f"their images, e.g. a.tif and a_masks.tif; {words} is missing."
    )


def _of_table(path: Path, left_out: set[str], splits: Sequence[str]) -> PairScan:
    try:
        lines = read_lines(path, _COLUMNS, ("channel",), splits)
    except ValueError as error:
        return PairScan(problems=(str(error),))
    wanted = [line for line in lines if image_stem(path / line.values["image"]) not in left_out]
    found: list[Pair | str] = []
    for number, values in wanted:
        for one in _of_line(path.parent, values, left_out):
            found.append(f"{path.name}, line {number}: {one}" if isinstance(one, str) else one)
    return _scan(path, found)


def _of_line(folder: Path, values: Mapping[str, str], left_out: set[str]) -> list[Pair | str]:
    """Pairs of a line, or what is wrong with it."""
    try:
        require(values, _COLUMNS)
        channel = parse_channel(values.get("channel", ""))
    except ValueError as error:
        return [str(error)]
    image, labels = (folder / values[name] for name in _COLUMNS)
    gone = [path for path in (image, labels) if not path.exists()]
    if gone:
        return [f"there is no file {' and no '.join(str(path) for path in gone)}"]
    matches = match_files(image, labels)
    return [_pair(match, channel) for match in matches if match.image.name not in left_out]


def _scan(source: Path, lines: Iterable[Pair | str], strays: Iterable[Path] = ()) -> PairScan:
    found = list(lines)
    pairs = tuple(one for one in found if isinstance(one, Pair))
    problems = [one for one in found if isinstance(one, str)]
    if not found:
        problems.append(f"{source}: no images at all.")
    return PairScan(pairs, tuple(strays), tuple(problems), len(found))


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Images of a folder and other files; hidden ones count as neither."""
    shown = [path for path in sorted(folder.iterdir()) if not is_left_by_system(path)]
    named = [path for path in shown if is_image_name(path) or is_cellpose_name(path)]
    images = [path for path in named if not is_special(path)]
    return images, [path for path in shown if path not in set(images)]


def _pair(match: Match, channel: int | None = None) -> Pair | str:
    """Pair of two images, or what is wrong with them."""
    image, labels, problem = match
    if problem:
        return problem
    if labels is None:
        name = image.name if image.scene else image.path.name
        return (
            f"{image}: no label file for {name}. Name labels like their image with '_label' "
            "added, e.g. a.png and a_label.tiff."
        )
    where = f"{image.path.name}, scene {image.scene}" if image.scene else image.path.name
    try:
        header, target = plane_header(image, channel), label_header(labels)
    except (OSError, ValueError, TypeError, ImportError) as error:
        return f"{where}: {error}"
    if header.shape != target.shape:
        shapes = header.shape, target.shape
        words = f"the image is {shapes[0]} and its labels are {shapes[1]}."
        return f"{where}: {words}{explain_shapes(*shapes)}"
    return Pair(
        image.path,
        labels.path,
        header.shape,
        channel,
        is_mask=target.is_mask,
        scene=image.scene,
        label_scene=labels.scene,
    )
