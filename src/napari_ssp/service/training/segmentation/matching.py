"""Labels of training images: which file, and which image of it, belongs to which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.io import image_stem
from napari_ssp.io.label_names import find_labels
from napari_ssp.service.training.scenes import Match, image_scenes, label_scenes, match_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_ssp.io import ImageSource


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
    own = [find_labels(image.name, by_stem) for image in images]
    shared = find_labels(image_stem(path), by_stem)
    if any(own) or shared is None:
        return [
            Match(image, label_scenes(found)[0]) if found else _unlabelled(image)
            for image, found in zip(images, own, strict=True)
        ]
    return match_files(path, shared, label_scenes)


def _unlabelled(image: ImageSource) -> Match:
    name = image.name if image.scene else image.path.name
    problem = (
        f"{image}: no label file for {name}. Name labels like their image with '_label' added, "
        "e.g. a.png and a_label.tiff."
    )
    return Match(image, None, problem)
