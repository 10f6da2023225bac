"""Pairs of predictions and truths: files of two places, paired by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_ssp.io import image_stem
from napari_ssp.io.label_names import without_endings
from napari_ssp.place import PLACES, cut_like

if TYPE_CHECKING:
    from collections.abc import Iterable
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
