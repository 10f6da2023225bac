"""Folders and tables of images and labels: found by names, checked by headers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io import (
    IMAGE_SUFFIXES,
    image_stem,
    is_cellpose_name,
)
from napari_ssp.io.label_names import find_labels, sort_files
from napari_ssp.io.scene import image_name
from napari_ssp.labels import explain_shapes
from napari_ssp.service.training.pair_sources import PairScan, list_files, make_pairs, scan_table
from napari_ssp.service.training.pair_tables import TRAINING_SPLITS, TableLayout, parse_channel
from napari_ssp.service.training.segmentation.plane_headers import (
    PlaneHeader,
    image_headers,
    label_headers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

_TABLE = TableLayout(("image", "label"), ("channel",))
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
        Which images of the files they are; None where there is only one.
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
        """File name of the image without its suffix, and its own name if there are several."""
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
        ``label``, and possibly ``channel`` and ``split``; paths are relative to the file.
    exclude : iterable of str
        Names, without suffix, of images to leave out.
    splits : sequence of str
        Lines of a table, or folders, count whose split is one of these; in a table without the
        column all do, and so does the folder itself.
    """
    if source.is_file():
        scan = scan_table(source, _TABLE, splits, exclude, _of_line)
    else:
        scan = _of_folder(source, set(exclude), splits)
    if scan.count or scan.problems:
        return scan
    return replace(scan, problems=(f"{source}: no images at all.",))


def _of_folder(source: Path, left_out: set[str], splits: Sequence[str]) -> PairScan[Pair]:
    inside = [source / split if split else source for split in splits]
    if source.name == "images" and "" in splits:
        inside.append(source.parent)
    places = [folder for folder in inside if folder.is_dir() and _find_files(folder)]
    files = _find_files(places[0]) if places else None
    if files is None:
        return PairScan(problems=(_no_layout(source),)) if "" in splits else PairScan()
    by_stem = {image_stem(path): path for path in files.labels}
    wanted = [path for path in files.images if image_stem(path) not in left_out]
    used = {find_labels(image_stem(path), by_stem) for path in files.images}
    bare = []
    if files.side_by_side:  # who annotates there does so one by one
        bare = [path for path in wanted if find_labels(image_stem(path), by_stem) is None]
        wanted = [path for path in wanted if path not in set(bare)]
    scan = make_pairs(wanted, lambda image: _pairs(image, partial(find_labels, by_stem=by_stem)))
    used |= {pair.labels for pair in scan.pairs}
    lonely = [path for path in files.labels if path not in used]
    return replace(scan, strays=(*files.others, *lonely, *bare))


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


def _of_line(folder: Path, values: Mapping[str, str]) -> list[Pair]:
    channel = parse_channel(values.get("channel", ""))
    image, labels = (folder / values[name] for name in _TABLE.columns)
    gone = [path for path in (image, labels) if not path.exists()]
    if gone:
        raise ValueError(f"there is no file {' and no '.join(str(path) for path in gone)}")
    return _pairs(image, lambda _: labels, channel)


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    return list_files(folder, lambda p: p.suffix.lower() in IMAGE_SUFFIXES or is_cellpose_name(p))


def _pairs(
    image: Path, labels_of: Callable[[str], Path | None], channel: int | None = None
) -> list[Pair]:
    """Pairs of all images of a file, or a ValueError that says what is wrong with them.

    Several images have a label file each, named after the file and the image as `segment` names
    them; or one that holds as many label images.
    """
    headers = _headers(image_headers, image, image)
    stem, pairs = image_stem(image), []
    for place, header in enumerate(headers):
        own = labels_of(image_name(stem, header.scene)) if header.scene else None
        labels = own or labels_of(stem)
        if labels is None:
            raise ValueError(
                f"{image}: no label file for {image.name}. Name labels like their image with "
                "'_label' added, e.g. a.png and a_label.tiff."
            )
        found = _headers(label_headers, labels, image)
        if len(found) != (1 if own else len(headers)):
            raise ValueError(
                f"{image.name}: the file holds {len(headers)} images and {labels.name} "
                f"{len(found)}. Give each image its labels."
            )
        pairs.append(_pair((image, header), (labels, found[0 if own else place]), channel))
    return pairs


def _headers(
    read: Callable[[Path], tuple[PlaneHeader, ...]], file: Path, image: Path
) -> tuple[PlaneHeader, ...]:
    try:
        return read(file)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ValueError(f"{image.name}: {error}") from error


def _pair(
    image: tuple[Path, PlaneHeader], labels: tuple[Path, PlaneHeader], channel: int | None
) -> Pair:
    (file, header), (label_file, target) = image, labels
    count = header.channels
    if channel is not None and channel >= count:
        raise ValueError(
            f"{file.name}: it has {count} channel{'s' * (count != 1)}, so there is no {channel}"
        )
    if header.shape != target.shape:
        raise ValueError(
            f"{file.name}: the image is {header.shape} and its labels are {target.shape}."
            f"{explain_shapes(header.shape, target.shape)}"
        )
    scenes = header.scene, target.scene
    return Pair(file, label_file, header.shape, channel, target.is_mask, *scenes)
