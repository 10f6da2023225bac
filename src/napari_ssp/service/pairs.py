"""Folders of images and labels as training or evaluation pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.io import IMAGE_SUFFIXES, image_stem, read_image
from napari_ssp.training.data import LabelledImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

#: A label file is named after its image with one of these endings.
LABEL_ENDINGS = ("_label", "_labels", "_masks", "_cp_masks", "")


def find_pairs(folder: Path, exclude: Iterable[str] = ()) -> list[tuple[Path, Path]]:
    """Pairs of image and label files in ``folder/images`` and ``folder/labels``.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``images`` and ``labels``; a label file is named as its image plus ``_label``,
        ``_labels``, ``_masks`` or nothing.
    exclude : iterable of str
        Names, without suffix, of images to leave out.

    Raises
    ------
    FileNotFoundError
        When a folder is missing or images have no labels; all of them are listed.
    """
    images, labels = folder / "images", folder / "labels"
    for part in (images, labels):
        if not part.is_dir():
            raise FileNotFoundError(
                f"Training data needs the folders 'images' and 'labels' in {folder}; "
                f"'{part.name}' is missing."
            )
    left_out = set(exclude)
    by_stem = {image_stem(path): path for path in sorted(labels.iterdir()) if _is_image(path)}
    found = [p for p in sorted(images.iterdir()) if _is_image(p) and image_stem(p) not in left_out]
    pairs = [(path, _label_of(path, by_stem)) for path in found]
    lonely = [image.name for image, label in pairs if label is None]
    if lonely or not pairs:
        what = f"no label file for {', '.join(lonely[:10])}" if lonely else "no images at all"
        raise FileNotFoundError(
            f"{folder}: {what} ({len(lonely)} of {len(pairs)}). Name labels like their image "
            "with '_label' added, e.g. a.png and a_label.tiff."
        )
    return [(image, label) for image, label in pairs if label is not None]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _label_of(image: Path, by_stem: dict[str, Path]) -> Path | None:
    for ending in LABEL_ENDINGS:
        if image_stem(image) + ending in by_stem:
            return by_stem[image_stem(image) + ending]
    return None


def load_pairs(pairs: Sequence[tuple[Path, Path]]) -> list[LabelledImage]:
    """Read and normalise all pairs.

    Raises
    ------
    ValueError
        When images cannot be read or do not fit their labels; all of them are listed.
    """
    loaded, problems = [], []
    for image, label in pairs:
        try:
            loaded.append(_load(image, label))
        except (OSError, ValueError, TypeError) as error:
            problems.append(f"{image.name}: {error}")
    if problems:
        raise ValueError(
            f"{len(problems)} of {len(pairs)} training pairs cannot be used:\n  "
            + "\n  ".join(problems)
        )
    return loaded


def _load(image: Path, label: Path) -> LabelledImage:
    plane, labels = read_image(image).plane(), read_image(label).plane()
    return LabelledImage.from_planes(image_stem(image), plane, labels)
