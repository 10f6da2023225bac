"""Label images as commands read them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_scenes
from napari_ssp.labels import check_label_type
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


def read_labels(path: Path, axes: str | None, voxel_size: VoxelSize | None) -> MicroscopyImage:
    """Read a label image; of a file that holds images and labels, the first labels.

    Raises
    ------
    TypeError
        If it holds no integers.
    ValueError, OSError
        As `read_scenes`, or if the axes do not fit.
    """
    scenes = read_scenes(path)
    image = next((scene.image for scene in scenes if scene.is_labels), scenes[0].image)
    check_label_type(image.dtype, f"file {path}")
    image = with_axes(image, axes)
    # Colours would be measured and outlined as objects.
    if image.rgb:
        raise ValueError(
            f"{path} is a colour image (shape {image.shape}), not a label image. Give the label "
            "image that belongs to it, or name its axes, e.g. --axes zyx."
        )
    return with_voxel_size(image, voxel_size)


def with_axes(image: MicroscopyImage, axes: str | None) -> MicroscopyImage:
    """Give an image other axes than its file says, with a ValueError where they do not fit."""
    if axes is None or axes.lower() == image.axes:
        return image
    named = MicroscopyImage(image.data, axes.lower(), image.voxel_size, name=image.name)
    return replace(named, origin=image.origin, position=image.position, warnings=image.warnings)
