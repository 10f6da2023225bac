"""A series: the images of a folder, where the labels of each lie, and how far each has come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from napari_ssp.io import ImageSource, image_stem
from napari_ssp.io.label_names import leave_results_out
from napari_ssp.io.objects.notes import is_corrected
from napari_ssp.io.reading import list_images
from napari_ssp.io.sources import folder_images, without_members
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.requests import Request
from napari_ssp.service.review.decisions import find_decisions, read_decisions
from napari_ssp.service.training.segmentation.matching import match_image
from napari_ssp.service.training.segmentation.pairs import FolderFiles, find_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

#: What reading a file, or a network, raises where an image is at fault; the next one goes on.
FAULTS = (OSError, ValueError, TypeError, ImportError, RuntimeError, MemoryError)


class Stage(StrEnum):
    """How far an image has come."""

    WAITING = "not segmented"
    SEGMENTING = "segmenting"
    SEGMENTED = "segmented"
    CORRECTED = "corrected"
    DECIDED = "decided"
    FAILED = "failed"


@dataclass(frozen=True)
class ImageState:
    """State of an image of a series.

    Attributes
    ----------
    stage : Stage
        How far it has come.
    words : str
        The same in more detail, e.g. why it failed.
    """

    stage: Stage
    words: str = ""


@dataclass(frozen=True)
class SeriesImage:
    """An image of a series.

    Attributes
    ----------
    image : ImageSource
        Its file, and which image of it.
    labels : ImageSource
        Where its labels lie, or will lie.
    problem : str
        Why it cannot be used; empty where it can.
    """

    image: ImageSource
    labels: ImageSource
    problem: str = ""

    @property
    def name(self) -> str:
        """What the image is called, different for all images of a file."""
        return self.image.name

    @property
    def is_waiting(self) -> bool:
        """Whether it has no labels yet."""
        return not (self.problem or self.labels.path.exists())


@dataclass(frozen=True)
class Series:
    """Images in their order.

    Attributes
    ----------
    folder : pathlib.Path
        Where they lie.
    images : tuple of SeriesImage
        By name.
    states : tuple of ImageState
        Of each.
    notes : tuple of str
        Files that are left out, as parts of others.
    """

    folder: Path
    images: tuple[SeriesImage, ...]
    states: tuple[ImageState, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListSeriesRequest(Request[Series]):
    """List the images of a folder.

    Attributes
    ----------
    folder : pathlib.Path
        Images with their labels beside them, or ``images`` and ``labels`` in it, as for training.
    """

    folder: Path


@dataclass(frozen=True)
class LookAtImagesRequest(Request[tuple[ImageState, ...]]):
    """Look how far images have come.

    Attributes
    ----------
    images : tuple of SeriesImage
        Which ones.
    """

    images: tuple[SeriesImage, ...]


def list_steps(request: ListSeriesRequest) -> Steps[Series]:
    """List the images of a folder; headers are read, pixels are not.

    Raises
    ------
    ValueError
        If it holds none.
    """
    yield Progress("looking at the folder")
    files = _find_files(request.folder)
    paths, notes = without_members(files.images)
    by_stem = {image_stem(path): path for path in files.labels}
    images: list[SeriesImage] = []
    for done, path in enumerate(paths):
        yield Progress("looking at the folder", done, len(paths))
        images += _of_file(path, by_stem, files.place)
    found = tuple(_refuse_shared(images))
    states = yield from look_steps(LookAtImagesRequest(found))
    return Series(request.folder, found, states, tuple(notes))


def look_steps(request: LookAtImagesRequest) -> Steps[tuple[ImageState, ...]]:
    """Look at the files of images."""
    states = []
    for done, image in enumerate(request.images):
        yield Progress("looking at the labels", done, len(request.images))
        states.append(_look_at(image))
    return tuple(states)


def _find_files(folder: Path) -> FolderFiles:
    """Images of a folder and their labels, also where nothing has labels yet."""
    near = (folder, folder.parent) if folder.name == "images" else (folder,)
    for place in near:
        found = find_files(place)
        if found is not None:
            return found
    for place in (folder, folder / "images"):
        images = leave_results_out(folder_images(place)) if place.is_dir() else []
        if images:
            return FolderFiles(place, images, [], [])
    raise ValueError(f"The folder {folder} holds no images. Choose the folder that they lie in.")


def _of_file(path: Path, by_stem: Mapping[str, Path], place: Path) -> list[SeriesImage]:
    """Images of a file, each with the place of its labels."""
    try:
        list_images(path)
    except FAULTS as error:
        source = ImageSource(path, None, image_stem(path))
        return [SeriesImage(source, _own_labels(source, place), str(error))]
    return [
        SeriesImage(match.image, match.target, match.problem)
        if match.target is not None
        else SeriesImage(match.image, _own_labels(match.image, place))
        for match in match_image(path, by_stem)
    ]


def _refuse_shared(images: Iterable[SeriesImage]) -> Iterator[SeriesImage]:
    """Refuse images whose labels would be those of another one, as of a.tif and a.png."""
    owners: dict[ImageSource, SeriesImage] = {}
    for image in images:
        owner = owners.setdefault(image.labels, image)
        if owner is image:
            yield image
        else:
            problem = (
                f"'{image.image.path.name}' and '{owner.image.path.name}' have one name, and so "
                "one file of labels. Rename one of them."
            )
            yield replace(image, problem=image.problem or problem)


def _own_labels(image: ImageSource, place: Path) -> ImageSource:
    """Give the place of labels that are made, named as ``segment`` names them."""
    return ImageSource(place / f"{image.name}_label.tiff", None, image.name)


def _look_at(image: SeriesImage) -> ImageState:
    labels = image.labels
    if image.problem:
        return ImageState(Stage.FAILED, image.problem)
    if not labels.path.exists():
        return ImageState(Stage.WAITING)
    stage = Stage.CORRECTED if is_corrected(labels.path) else Stage.SEGMENTED
    decided = _count_decisions(labels)
    if not decided:
        return ImageState(stage)
    objects = "1 object" if decided == 1 else f"{decided} objects"
    return ImageState(Stage.DECIDED, f"{stage}, {objects} decided")


def _count_decisions(labels: ImageSource) -> int:
    beside = find_decisions(labels.path, labels.scene)
    try:
        return 0 if beside is None else len(read_decisions(beside))
    except (OSError, ValueError):  # the Review dock says what is wrong with them
        return 0
