"""Images of training files: all scenes of each, paired with those of another file."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from napari_ssp.io import ImageSource, image_stem
from napari_ssp.io.reading import list_images, list_labels
from napari_ssp.io.scene import list_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Sources = tuple[ImageSource, ...]


def image_scenes(path: Path) -> Sources:
    """List the images of a file; one that cannot be read has one, as reading it says why."""
    return _scenes(path, list_images)


def label_scenes(path: Path) -> Sources:
    """List the label images of a file, as `image_scenes`."""
    return _scenes(path, list_labels)


def pair_scenes(one: Sources, other: Sources) -> list[tuple[ImageSource, ImageSource]]:
    """Pair the images of two files, by their names where these are the same, else by their order.

    Raises
    ------
    ValueError
        If their numbers differ.
    """
    by_name = {source.scene: source for source in other}
    if len(one) != len(other):
        raise ValueError(
            f"{one[0].path.name} holds {_count(one)}, and {other[0].path.name} {_count(other)}: it "
            "is open which belong together. Give both files the same scenes"
        )
    if {source.scene for source in one} == set(by_name):
        return [(source, by_name[source.scene]) for source in one]
    return list(zip(one, other, strict=True))


def _count(sources: Sources) -> str:
    return list_names([source.scene or "" for source in sources])


def _scenes(path: Path, list_sources: Callable[[Path], list[ImageSource]]) -> Sources:
    try:
        state = path.stat()
        return _listed(path, list_sources, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError, TypeError, ImportError):
        return (ImageSource(path, None, image_stem(path)),)


@lru_cache(maxsize=65536)
def _listed(
    path: Path, list_sources: Callable[[Path], list[ImageSource]], changed: int, size: int
) -> Sources:
    return tuple(list_sources(path))
