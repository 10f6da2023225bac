"""Masks among label files: of true and false, or of one number for all separate objects."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io import read_label_image
from napari_ssp.labels import (
    NOT_ANNOTATED,
    NUMBER_PARTS,
    has_one_number,
    number_parts,
    warn_of_masks,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.service.training.requests import Crops
    from napari_ssp.service.training.segmentation.pairs import Pair

#: Label files that a plan looks into, spread over all, and the pixels of one at most.
_LOOKED_AT, _MOST_PIXELS = 24, 2**26


def read_labels(path: Path, scene: str | None, crops: Crops) -> NDArray[Any]:
    """Labels (Y, X) of an image of a file, as a training asks for them.

    Returns
    -------
    numpy.ndarray
        Integers, below 0 where nobody annotated; bool where it is a mask and stays one.

    Raises
    ------
    TypeError
        If they are no whole numbers.
    OSError, ValueError
        As `read_label_image`.
    """
    labels = _known(read_label_image(path, scene).plane(), crops.ignore_label)
    return number_parts(labels) if crops.number_parts and has_one_number(labels) else labels


def check_masks(pairs: Sequence[Pair], crops: Crops) -> None:
    """Refuse label files of true and false whose parts are not to be numbered.

    Raises
    ------
    ValueError
        With how many they are.
    """
    masks = [pair.labels.name for pair in pairs if pair.is_mask]
    if masks and not crops.number_parts:
        raise ValueError(
            f"{len(masks)} of {len(pairs)} label files are masks (dtype bool), without a number "
            f"for each object, e.g. {masks[0]}. Number their separate parts (--number-parts, or "
            f"'{NUMBER_PARTS}' in the dock), or give label images."
        )


def warn_of_mask_files(pairs: Sequence[Pair], crops: Crops) -> str | None:
    """Warn where label files have one number for separate objects; a sample of them is read."""
    if crops.number_parts or not pairs:
        return None
    places = np.unique(np.linspace(0, len(pairs) - 1, _LOOKED_AT).round().astype(int))
    parts = [_parts(pairs[k], crops.ignore_label) for k in places]
    masks = [count for count in parts if count > 1]
    return warn_of_masks(masks, len(parts)) if masks else None


def _parts(pair: Pair, ignore: int | None) -> int:
    if np.prod(pair.shape) > _MOST_PIXELS:
        return 0
    state = pair.labels.stat()
    place = pair.labels, pair.label_scene
    return _count_parts(place, ignore, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _count_parts(
    place: tuple[Path, str | None], ignore: int | None, changed: int, size: int
) -> int:
    try:
        labels = _known(read_label_image(*place).plane(), ignore)
    except (OSError, ValueError, TypeError):
        return 0  # said when all are read
    return int(number_parts(labels).max(initial=0)) if has_one_number(labels) else 0


def _known(labels: NDArray[Any], ignore: int | None) -> NDArray[Any]:
    """Labels as integers, -1 in place of the value that means "not annotated"."""
    if labels.dtype.kind == "b":
        return labels
    numbers = whole_numbers(labels)
    if ignore is None or not (numbers == ignore).any():
        return numbers
    return np.where(numbers == ignore, NOT_ANNOTATED, numbers.astype(np.int64))
