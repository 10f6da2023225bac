"""Folders and tables of images and labels: found by names, checked by headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io import image_stem, is_cellpose_name, is_image_name
from napari_ssp.io.label_names import sort_files
from napari_ssp.io.scene import image_name
from napari_ssp.io.sources import without_members
from napari_ssp.labels import explain_shapes
from napari_ssp.service.source_image import check_nuclei
from napari_ssp.service.training.pair_sources import PairScan, list_files, make_pairs, scan_table
from napari_ssp.service.training.pair_tables import TRAINING_SPLITS, TableLayout, parse_channel
from napari_ssp.service.training.scenes import label_scenes
from napari_ssp.service.training.segmentation.matching import match_image
from napari_ssp.service.training.segmentation.plane_headers import (
    label_header,
    plane_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_ssp.io import ImageSource

_TABLE = TableLayout(("image", "label"), ("channel", "nuclei"))
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
    nuclei : int or None
        Channel of the image that shows the nuclei, beside that of the cells.
    """

    image: Path
    labels: Path
    shape: tuple[int, int]
    channel: int | None = None
    is_mask: bool = False
    scene: str | None = None
    label_scene: str | None = None
    nuclei: int | None = None

    @property
    def name(self) -> str:
        """File name of the image without its suffix, and the scene's name."""
        return image_name(image_stem(self.image), self.scene or "")


def scan_pairs(
    source: Path, exclude: Iterable[str] = (), splits: Sequence[str] = TRAINING_SPLITS
) -> PairScan[Pair]:
    """Pair the images and labels of a folder or a table, reading headers only.

    Parameters
    ----------
    source : pathlib.Path
        Folder that holds ``images`` and ``labels`` (or ``masks``); a label file is named as its
        image, possibly with one of `napari_ssp.io.LABEL_ENDINGS`. Or a folder in which images and
        labels with such an ending lie side by side, as cellpose has them. Or a folder with such a
        folder for each split, e.g. ``train``. Or a CSV file with the columns ``image`` and
        ``label``, and possibly ``channel``, ``nuclei`` and ``split``; paths are relative to the
        file.
        All images of a file with several are paired with those of a label file, or with label files
        of their own names.
    exclude : iterable of str
        Names, without suffix, of images to leave out.
    splits : sequence of str
        Lines of a table, or folders, count whose split is one of these; in a table without the
        column all do, and so does the folder itself.
    """
    if source.is_file():
        scan = scan_table(source, _TABLE, splits, set(exclude), label_scenes, _pair)
        return scan.or_problem(_nothing(source))
    return _of_folder(source, set(exclude), splits)


def _of_folder(source: Path, left_out: set[str], splits: Sequence[str]) -> PairScan[Pair]:
    inside = [source / split if split else source for split in splits]
    if source.name == "images" and "" in splits:
        inside.append(source.parent)
    places = [folder for folder in inside if folder.is_dir() and find_files(folder)]
    files = find_files(places[0]) if places else None
    if files is None:
        return PairScan(problems=(_no_layout(source),)) if "" in splits else PairScan()
    images, notes = without_members(files.images)
    by_stem = {image_stem(path): path for path in files.labels}
    found = [match for path in images for match in match_image(path, by_stem)]
    used = {match.target.path for match in found if match.target}
    lonely = [path for path in files.labels if path not in used]
    wanted = [match for match in found if not match.is_among(left_out)]
    bare: list[Path] = []
    if files.side_by_side:  # who annotates there does so one by one
        bare = [match.image.path for match in wanted if match.target is None]
        wanted = [match for match in wanted if match.target]
    strays = (*files.others, *lonely, *dict.fromkeys(bare))
    return make_pairs(wanted, _pair, {}, strays, notes).or_problem(_nothing(places[0]))


class FolderFiles(NamedTuple):
    """Images, labels and other files of a folder, and where its labels lie."""

    place: Path
    images: Sequence[Path]
    labels: Sequence[Path]
    others: Sequence[Path]
    side_by_side: bool = False


def find_files(folder: Path) -> FolderFiles | None:
    """Images and labels of a folder by its layout; None where it has none of those known."""
    for part in _LABEL_FOLDERS:
        if (folder / "images").is_dir() and (folder / part).is_dir():
            found, others = _files(folder / "images")
            labels, more = _files(folder / part)
            images, beside, _ = sort_files(found)
            named, more_named, _ = sort_files(labels)
            return FolderFiles(
                folder / part, images, [*named, *more_named], [*others, *beside, *more]
            )
    for place in (folder, folder / "images"):
        found, others = _files(place) if place.is_dir() else ([], [])
        images, labels, _ = sort_files(found)
        if labels:
            return FolderFiles(place, images, labels, others, side_by_side=True)
    return None


def _no_layout(folder: Path) -> str:
    missing = [part for part in ("images", "labels") if not (folder / part).is_dir()]
    words = " and ".join(f"'{part}'" for part in missing)
    return (
        f"Training data needs the folders 'images' and 'labels' in {folder}, or labels beside "
        f"their images, e.g. a.tif and a_masks.tif; {words} is missing."
    )


def _nothing(source: Path) -> str:
    return f"{source}: no images at all."


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    return list_files(folder, lambda path: is_image_name(path) or is_cellpose_name(path))


def _pair(image: ImageSource, labels: ImageSource, values: Mapping[str, str]) -> Pair:
    """Pair of two images and what a table says of them; a ValueError says what is wrong."""
    channel, nuclei = (parse_channel(values.get(name, "")) for name in _TABLE.channels)
    where = f"{image.path.name}, scene {image.scene}" if image.scene else image.path.name
    try:
        header, target = plane_header(image, channel), label_header(labels)
        if nuclei is not None:
            plane_header(image, nuclei)
            check_nuclei(channel, nuclei)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ValueError(f"{where}: {error}") from error
    if header.shape != target.shape:
        shapes = header.shape, target.shape
        words = f"the image is {shapes[0]} and its labels are {shapes[1]}."
        raise ValueError(f"{where}: {words}{explain_shapes(*shapes)}")
    scenes = image.scene, labels.scene
    return Pair(
        image.path,
        labels.path,
        header.shape,
        channel,
        target.is_mask,
        *scenes,
        nuclei=nuclei,
    )
