"""Pairs of predictions and truths: files of two places, paired by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.io import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def is_folder(place: Path) -> bool:
    """Tell a folder of images from an image that is kept as a folder."""
    return place.is_dir() and place.suffix.lower() not in IMAGE_SUFFIXES


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
