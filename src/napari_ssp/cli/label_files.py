"""Label images as commands read them."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from napari_ssp.cli.reporting import say
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import as_labels, number_mask, read_label_image
from napari_ssp.measure import ManyObjectsError, check_objects
from napari_ssp.place import with_voxel_size

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import VoxelSize

axes_option = click.option(
    "--axes",
    metavar="TEXT",
    help="Axes of LABELS, e.g. tyx for a movie; read from the file when not given.",
)
voxel_size_option = click.option(
    "--voxel-size", nargs=3, type=float, metavar="Z Y X", help="µm; else the file's."
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


def read_labels(
    path: Path, axes: str | None, voxel_size: VoxelSize | None, number_parts: bool
) -> MicroscopyImage:
    """Read a label image, and say what is doubtful about it; of several images the first labels.

    Raises
    ------
    TypeError
        If it holds no whole numbers, or a mask whose parts are not to be numbered.
    ValueError, OSError
        As `read_label_image` and `as_labels`, or if the axes do not fit.
    """
    image = with_axes(read_label_image(path), axes)
    name = f"file {path}"
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
        if sys.stdin is not None and sys.stdin.isatty():
            click.confirm(f"{error} Go on with it nevertheless?", abort=True, err=True)
            return
        raise ManyObjectsError(f"{error} If these are labels, add --many-objects.") from error


def with_axes(image: MicroscopyImage, axes: str | None) -> MicroscopyImage:
    """Give an image other axes than its file says, with a ValueError where they do not fit."""
    if axes is None or axes.lower() == image.axes:
        return image
    named = MicroscopyImage(image.data, axes.lower(), image.voxel_size, name=image.name)
    return replace(named, origin=image.origin, position=image.position, warnings=image.warnings)
