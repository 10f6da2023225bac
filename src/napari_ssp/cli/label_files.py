"""Label images as commands read them, and the names of what is made of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from napari_ssp.cli.files import find_label_sources
from napari_ssp.cli.pairing import name_without_endings, split_name
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

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_ssp.image import VoxelSize
    from napari_ssp.io import ImageSource

axes_option = click.option(
    "--axes",
    metavar="TEXT",
    help="Axes of LABELS, e.g. tyx for a movie; read from the file when not given.",
)
voxel_size_option = click.option(
    "--voxel-size", nargs=3, type=float, metavar="Z Y X", help="µm; else the file's."
)

scene_option = click.option(
    "--scene",
    metavar="TEXT",
    help="Label image of a file with several: its name, or its number from 0 [default: all].",
)

number_parts_option = click.option(
    "--number-parts",
    is_flag=True,
    help="Number the separate parts of a mask, which has one number for all objects.",
)


many_objects_option = click.option(
    "--many-objects",
    is_flag=True,
    help="Take LABELS as they are, also where they look like an image.",
)


def label_sources(labels: Path, scene: str | None) -> list[ImageSource]:
    """Label images of a file, or the one that is named.

    Raises
    ------
    ValueError, OSError
        As `read_scenes`, or if there is no such one.
    """
    if is_folder(labels):
        raise IsADirectoryError(f"'{labels}' is a folder. Give the label images in it one by one.")
    return find_label_sources([labels], scene)


def name_results(sources: Sequence[ImageSource], output: Path) -> list[Path]:
    """One result per label image: of several, the scene's name follows that of the result.

    Raises
    ------
    ValueError
        If the labels would be replaced by their own result.
    """
    if output.resolve() in {source.path.resolve() for source in sources}:
        raise ValueError(f"'{output}' is what is read. Give the result another name.")
    if len(sources) == 1:
        return [output]
    stem = image_stem(output)
    ending = output.name.removeprefix(stem)
    return [output.with_name(f"{stem}{_scene_words(one)}{ending}") for one in sources]


def find_intensities(
    image: Path, labels: ImageSource, all_labels: Sequence[ImageSource]
) -> MicroscopyImage:
    """Image that labels belong to: of a file with several, the one of their name or place.

    Raises
    ------
    ValueError, OSError
        As `read_image`, or if it is open which one.
    """
    images = list_images(image)
    names = {source.name: source for source in images}
    scenes = {source.scene: source for source in images}
    found = names.get(name_without_endings(labels, LABEL_ENDINGS)) or scenes.get(labels.scene)
    if found is None and len(images) in (1, len(all_labels)):
        found = images[list(all_labels).index(labels) % len(images)]
    if found is None:
        raise ValueError(
            f"'{image}' holds {list_names([str(s.scene) for s in images])}, and it is open which "
            f"one '{labels.name}' belongs to. Give the labels the name of the image, e.g. "
            f"'{images[0].name}_label.tif'."
        )
    return read_image(found.path, found.scene)


def _scene_words(source: ImageSource) -> str:
    return split_name(source)[1] or f" {source.name}"


def read_labels(
    source: ImageSource, axes: str | None, voxel_size: VoxelSize | None, number_parts: bool
) -> MicroscopyImage:
    """Read a label image, and say what is doubtful about it.

    Raises
    ------
    TypeError
        If it holds no whole numbers, or a mask whose parts are not to be numbered.
    ValueError, OSError
        As `read_label_image` and `as_labels`, or if the axes do not fit.
    """
    image = with_axes(read_label_image(source.path, source.scene), axes)
    name = f"file {source.path}"
    found = as_labels(number_mask(image, name) if number_parts else image, name)
    for line in found.warnings:
        say(line)
    return with_voxel_size(found, voxel_size)


def confirm_objects(labels: MicroscopyImage, agreed: bool) -> None:
    """Ask whether an image is to be taken for labels, where it does not look like them.

    Raises
    ------
    ManyObjectsError
        If nobody is there to be asked.
    click.Abort
        If the answer is no.
    """
    if agreed:
        return
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
