"""Pairs of label images, or of images and labels: files of two places, paired by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_ssp.cli.files import find_label_sources
from napari_ssp.io import LABEL_ENDINGS, image_stem, is_cellpose_name, is_folder
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.io.label_names import sort_files, without_endings
from napari_ssp.io.sources import expand
from napari_ssp.place import PLACES, cut_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.io import ImageSource


def split_name(source: ImageSource) -> tuple[str, str]:
    """Name of an image's file without suffix, and what tells it from the file's other images."""
    stem = image_stem(source.path)
    rest = source.name.removeprefix(stem)
    return (source.name, "") if rest == source.name else (stem, rest)


def name_without_endings(source: ImageSource, endings: Iterable[str]) -> str:
    """Name of an image without endings, whether they are its file's or its own."""
    stem, scene = split_name(source)
    known = tuple(endings)
    return without_endings(without_endings(stem, known) + scene, known)


def label_sources(place: Path, scene: str | None = None) -> list[ImageSource]:
    """Label images of a file or folder; beside images only those that belong to them."""
    # cellpose puts its files beside the images that they are of.
    inside = sorted(place.iterdir()) if is_folder(place) else []
    own = [p for p in inside if is_cellpose_name(p) and not is_left_by_system(p)]
    found = sort_files(own or expand([place]))
    return find_label_sources(found.labels or found.images, scene)


def by_name(
    sources: Sequence[ImageSource], name_of: Callable[[ImageSource], str], place: Path
) -> dict[str, ImageSource]:
    """Label images of a place by their names, with a ValueError where two have the same one."""
    found: dict[str, ImageSource] = {}
    for source in sources:
        other = found.setdefault(name_of(source), source)
        if other is not source:
            raise ValueError(
                f"{place} has two label images of '{name_of(source)}': {other.path.name} and "
                f"{source.path.name}. Leave one of them there."
            )
    return found


def label_name(source: ImageSource) -> str:
    """Name of what labels are of."""
    return name_without_endings(source, LABEL_ENDINGS)


def in_one_place(
    predicted: MicroscopyImage, true: MicroscopyImage
) -> tuple[MicroscopyImage, MicroscopyImage]:
    """Cut the larger of two images to the region that the other is known to be of.

    Raises
    ------
    ValueError
        If the region reaches beyond it.
    """
    shared = [a for a in PLACES if a in predicted.axes and a in true.axes]
    found, wanted = (math.prod(image.sizes[a] for a in shared) for image in (predicted, true))
    if found > wanted:
        return cut_like(predicted, true), true
    return predicted, cut_like(true, predicted)


def check_all_predicted(predicted: Iterable[str], true: Iterable[str], place: Path) -> None:
    """Refuse truth without a prediction.

    Raises
    ------
    ValueError
        With the first names that are missing.
    """
    names = set(true)
    missing = sorted(names - set(predicted))
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(names)} truth images have no prediction in {place}: "
            f"{', '.join(missing[:5])}."
        )
