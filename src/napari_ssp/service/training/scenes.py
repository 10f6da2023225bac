"""Images of training files: all scenes of each, paired with those of another file."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io import ImageSource, image_stem
from napari_ssp.io.reading import list_images, list_labels
from napari_ssp.io.scene import list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    Sources = tuple[ImageSource, ...]


class Match(NamedTuple):
    """An image, and the labels or stack that is learned of it; or what is wrong with them."""

    image: ImageSource
    target: ImageSource | None
    problem: str = ""

    def is_among(self, names: Collection[str]) -> bool:
        """Whether one of these is the name of the image, or of its file without suffix."""
        return not {self.image.name, image_stem(self.image.path)}.isdisjoint(names)


def image_scenes(path: Path) -> Sources:
    """List the images of a file; one that cannot be read has one, as reading it says why."""
    return _scenes(path, list_images)


def label_scenes(path: Path) -> Sources:
    """List the label images of a file, as `image_scenes`."""
    return _scenes(path, list_labels)


def single_source(path: Path) -> ImageSource:
    """Give the only image of a file."""
    return ImageSource(path, None, image_stem(path))


def match_files(image: Path, target: Path, target_scenes: Callable[[Path], Sources]) -> list[Match]:
    """Pair the images of two files, by their names where these are the same, else by their order.

    Parameters
    ----------
    image, target : pathlib.Path
        The files.
    target_scenes : callable
        Lists the images of the second, as `image_scenes` or `label_scenes`.
    """
    one, other = image_scenes(image), target_scenes(target)
    gone = [str(path) for path in dict.fromkeys((image, target)) if not path.exists()]
    if gone:
        return [Match(one[0], other[0], f"there is no file {' and no '.join(gone)}")]
    if len(one) != len(other):
        problem = (
            f"{image.name} holds {_count(one)}, and {target.name} {_count(other)}: it is open "
            "which belong together. Give both files the same scenes"
        )
        return [Match(one[0], other[0], problem)]
    by_name = {source.scene: source for source in other}
    if {source.scene for source in one} == set(by_name):
        other = tuple(by_name[source.scene] for source in one)
    return list(map(Match, one, other))


def _count(sources: Sources) -> str:
    return list_names([source.scene or "" for source in sources])


def _scenes(path: Path, list_sources: Callable[[Path], list[ImageSource]]) -> Sources:
    try:
        state = path.stat()
        return _listed(path, list_sources, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError, TypeError, ImportError):
        return (single_source(path),)


@lru_cache(maxsize=65536)
def _listed(
    path: Path, list_sources: Callable[[Path], list[ImageSource]], changed: int, size: int
) -> Sources:
    return tuple(list_sources(path))
