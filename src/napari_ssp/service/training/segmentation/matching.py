"""Labels of training images: which file, and which image of it, belongs to which."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io import image_stem
from napari_ssp.io.label_names import find_labels
from napari_ssp.service.training.scenes import image_scenes, label_scenes, pair_scenes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_ssp.io import ImageSource


class Match(NamedTuple):
    """An image, and its labels; or what is wrong with them."""

    image: ImageSource
    labels: ImageSource | None
    problem: str = ""


def match_image(path: Path, by_stem: Mapping[str, Path]) -> list[Match]:
    """Find the labels of all images of a file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    by_stem : mapping
        Label files by their names without suffix. One may be named as the file, and hold as many
        label images; or as one image of it, as ``segment`` names its results.
    """
    images = image_scenes(path)
    own = [_labels_of(image, by_stem) for image in images]
    shared = find_labels(image_stem(path), by_stem)
    if any(own) or shared is None:
        return [
            Match(image, label_scenes(found)[0] if found else None)
            for image, found in zip(images, own, strict=True)
        ]
    return match_files(path, shared)


def match_files(image: Path, labels: Path) -> list[Match]:
    """Pair the images of a file with the label images of another one."""
    images = image_scenes(image)
    try:
        return [Match(*pair) for pair in pair_scenes(images, label_scenes(labels))]
    except ValueError as error:
        return [Match(images[0], None, str(error))]


def _labels_of(image: ImageSource, by_stem: Mapping[str, Path]) -> Path | None:
    return find_labels(image.name, by_stem)
