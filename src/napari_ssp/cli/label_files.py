"""Label images as commands read them, and the names of what is made of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace
from functools import wraps
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from napari_ssp.cli.compartment_names import choose_compartment
from napari_ssp.cli.files import below, find_label_sources, refuse_existing, refuse_read
from napari_ssp.cli.pairing import label_sources, name_without_endings, split_name
from napari_ssp.cli.reporting import say
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import (
    LABEL_ENDINGS,
    as_labels,
    image_stem,
    is_folder,
    number_mask,
    read_image,
    read_label_image,
)
from napari_ssp.io.reading import list_images
from napari_ssp.io.scene import list_names
from napari_ssp.measure import ManyObjectsError, check_objects
from napari_ssp.place import with_voxel_size
from napari_ssp.service.inspecting import warn_of_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from napari_ssp.image import VoxelSize
    from napari_ssp.io import ImageSource

number_parts_option = click.option(
    "--number-parts",
    is_flag=True,
    help="Number the separate parts of a mask, which has one number for all objects.",
)
_OPTIONS = (
    click.option(
        "--scene",
        metavar="TEXT",
        help="Label image of a file with several: its name, or its number from 0 [default: all].",
    ),
    click.option(
        "--axes",
        metavar="TEXT",
        help="Axes of LABELS, e.g. tyx for a movie; read from the file when not given.",
    ),
    click.option("--voxel-size", nargs=3, type=float, metavar="Z Y X", help="µm; else the file's."),
    number_parts_option,
    click.option(
        "--many-objects",
        is_flag=True,
        help="Take LABELS as they are, also where they look like an image.",
    ),
)


class LabelTask(NamedTuple):
    """A label image to work on, what belongs to it, and where the result goes."""

    source: ImageSource
    labels: MicroscopyImage
    image: MicroscopyImage | None
    target: Path
    nuclei: MicroscopyImage | None = None


@dataclass(frozen=True)
class LabelFile:
    """The file LABELS of a command, and what the user says of it."""

    path: Path
    scene: str | None
    axes: str | None
    voxel_size: VoxelSize | None
    number_parts: bool
    many_objects: bool
    subfolders: bool = False

    def tasks(
        self,
        output: Path,
        overwrite: bool,
        image: Path | None,
        nuclei: Path | None = None,
        also: Sequence[Path] = (),
    ) -> Iterator[LabelTask]:
        """Read the label images one by one; what is doubtful about them is said.

        Parameters
        ----------
        output : pathlib.Path
            The result, or of several what their names begin with.
        overwrite : bool
            Replace results that exist.
        image, nuclei : pathlib.Path or None
            Files with the images that they are of, and with labels of nuclei.
        also : sequence of pathlib.Path
            What is read besides.

        Raises
        ------
        ManyObjectsError, TypeError, ValueError, OSError
            When one is none, has no image, or its result would replace a file or what is read.
        """
        sources = _label_sources(self.path, self.scene)
        if nuclei is not None:
            sources = choose_compartment(sources, "cells")
        targets = _name_results(sources, output)
        places = (image, nuclei, *also, *(source.path for source in sources))
        refuse_read(targets, filter(None, places))
        refuse_existing(targets, overwrite)
        images = ImagesOfLabels(list_images(image) if image else [], sources)
        inner = choose_compartment(label_sources(nuclei), "nuclei") if nuclei else []
        of_nuclei = ImagesOfLabels(inner, sources)
        for source, target in zip(sources, targets, strict=True):
            labels = self.read(source)
            own, inside = images.find(source), of_nuclei.find(source)
            found = read_image(own.path, own.scene) if own else None
            yield LabelTask(source, labels, found, target, self.read(inside) if inside else None)

    def read(self, source: ImageSource) -> MicroscopyImage:
        """Read a label image; what is doubtful about it is said.

        Raises
        ------
        ManyObjectsError, TypeError, ValueError, OSError
            When it is none.
        """
        image = with_axes(read_label_image(source.path, source.scene), self.axes)
        name = f"file {source.path}"
        found = as_labels(number_mask(image, name) if self.number_parts else image, name)
        for line in found.warnings:
            say(line)
        labels = with_voxel_size(found, self.voxel_size)
        if not self.many_objects:
            _confirm_objects(labels)
        return labels


def label_options(function: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command that takes a `LabelFile` as ``labels``."""

    @wraps(function)
    def command(labels: Path, **choices: Any) -> None:
        names = [item.name for item in fields(LabelFile) if item.name in choices]
        own = {name: choices.pop(name) for name in names}
        function(labels=LabelFile(labels, **own), **choices)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _label_sources(labels: Path, scene: str | None) -> list[ImageSource]:
    """Label images of a file, or the one that is named.

    Raises
    ------
    ValueError, OSError
        As `read_scenes`, or if there is no such one.
    """
    if is_folder(labels):
        raise IsADirectoryError(f"'{labels}' is a folder. Give the label images in it one by one.")
    return find_label_sources([labels], scene)


def _name_results(sources: Sequence[ImageSource], output: Path) -> list[Path]:
    """One result per label image: of several, the scene's name follows that of the result."""
    if len(sources) == 1:
        return [output]
    stem = image_stem(output)
    ending = output.name.removeprefix(stem)
    return [output.with_name(f"{stem}{_scene_words(one)}{ending}") for one in sources]


class ImagesOfLabels:
    """Images that label images belong to.

    Parameters
    ----------
    images, labels : sequence of ImageSource
        All of them; no image where only labels are given.
    roots : pair of sequences of pathlib.Path
        Folders of folders of images, and of labels: those of one name belong together.
    """

    def __init__(
        self,
        images: Sequence[ImageSource],
        labels: Sequence[ImageSource],
        roots: tuple[Sequence[Path], Sequence[Path]] = ((), ()),
    ) -> None:
        self._images, self._roots = images, roots
        self._names = {(below(roots[0], source.path), source.name): source for source in images}
        # Of files of their own only the names tell.
        alone = len({one.path for one in images}) == 1 and len({one.path for one in labels}) == 1
        self._scenes = {source.scene: source for source in images} if alone else {}
        in_order = alone and len(images) in (1, len(labels))
        self._order = dict(zip(labels, cycle(images), strict=False)) if in_order else {}

    def find(self, labels: ImageSource) -> ImageSource | None:
        """Find the image of the labels' name or place; None where there are no images.

        Raises
        ------
        ValueError
            If it is open which one.
        """
        if not self._images:
            return None
        name = name_without_endings(labels, LABEL_ENDINGS)
        inside = (labels.scene or "").rpartition(" ")[0]  # of an OME-Zarr: "A/1/0 cells"
        folder = below(self._roots[1], labels.path)
        found = self._names.get((folder, name)) or self._scenes.get(labels.scene)
        found = found or self._scenes.get(inside) or self._order.get(labels)
        if found is None:
            held = list_names([str(source.scene or source.name) for source in self._images])
            raise ValueError(
                f"'{self._images[0].path}' holds {held}, and it is open which one '{labels.name}' "
                f"belongs to. Give the labels the name of the image, e.g. "
                f"'{self._images[0].name}_label.tif'."
            )
        return found


def _scene_words(source: ImageSource) -> str:
    return split_name(source)[1] or f" {source.name}"


def _confirm_objects(labels: MicroscopyImage) -> None:
    """Ask whether an image is to be taken for labels, where it does not look like them.

    Raises
    ------
    ManyObjectsError
        If nobody is there to be asked.
    click.Abort
        If the answer is no.
    """
    try:
        check_objects(labels)
    except ManyObjectsError as error:
        if sys.stdin is None or not sys.stdin.isatty():
            raise ManyObjectsError(f"{error} If these are labels, add --many-objects.") from error
        click.confirm(f"{error} Go on with it nevertheless?", abort=True, err=True)


def with_axes(image: MicroscopyImage, axes: str | None) -> MicroscopyImage:
    """Give an image other axes than its file says, with a ValueError where they do not fit."""
    if axes is None or axes.lower() == image.axes:
        return image
    named = MicroscopyImage(image.data, axes.lower(), image.voxel_size, name=image.name)
    return replace(named, origin=image.origin, position=image.position, warnings=image.warnings)


def say_doubts(image: MicroscopyImage | None) -> tuple[str, ...]:
    """Say what is doubtful about the image of labels."""
    found = () if image is None else (*image.warnings, *warn_of_blank([image]))
    for warning in found:
        say(warning)
    return found
