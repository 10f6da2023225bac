"""The image of a request, its channel, and the part of it that a region covers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image
from napari_ssp.place import with_voxel_size

if TYPE_CHECKING:
    from napari_ssp.service.requests import SourceRequest


def open_image(request: SourceRequest) -> MicroscopyImage:
    """Image of a request, with the axes and the voxel size that the request names."""
    source = request.image
    if isinstance(source, str | Path):
        source = read_image(source, request.scene, request.missing)
    if not isinstance(source, MicroscopyImage):
        return MicroscopyImage.from_array(source, request.axes, request.voxel_size)
    if request.axes is not None and request.axes.lower() != source.axes:
        named = MicroscopyImage.from_array(
            source.data, request.axes, source.voxel_size, source.name
        )
        source = replace(
            named, origin=source.origin, position=source.position, warnings=source.warnings
        )
    return with_voxel_size(source, request.voxel_size)


def choose_nuclei(image: MicroscopyImage, channel: int | None, wanted: int | None) -> int | None:
    """Channel of the nuclei beside that of the cells, from 0; None where none is wanted.

    Raises
    ------
    ValueError
        When there is none of that number, or it shows the cells.
    """
    if wanted is None:
        return None
    choose_channel(image, wanted)
    check_nuclei(channel, wanted)
    return wanted


def check_nuclei(channel: int | None, nuclei: int | None) -> None:
    """Refuse nuclei in the channel of the cells, which is the first where it was left open.

    Raises
    ------
    ValueError
        When they are.
    """
    if nuclei is not None and nuclei == (channel or 0):
        raise ValueError(
            f"The nuclei cannot be in channel {nuclei} (counted from 0), which shows the cells. "
            "Choose another channel for the nuclei or for the cells, or leave the nuclei out."
        )


def choose_channel(image: MicroscopyImage, wanted: int | None) -> int | None:
    """Channel to use, from 0; None where the image has only one.

    Raises
    ------
    ValueError
        When there is none of that number.
    """
    if wanted is not None and wanted >= image.num_channels:
        raise ValueError(
            f"Channel {wanted} was asked for, but '{image.name}' has {image.num_channels} "
            f"(counted from 0). Choose 0 to {image.num_channels - 1}."
        )
    if image.num_channels == 1:
        return None
    return 0 if wanted is None else wanted


def clip_region(
    image: MicroscopyImage, wanted: tuple[int, int, int, int] | None
) -> tuple[int, int, int, int]:
    """Part of a region (y0, y1, x0, x1) that lies in the image; None is all of it.

    Raises
    ------
    ValueError
        When no part does.
    """
    height, width = image.sizes["y"], image.sizes["x"]
    if wanted is None:
        return (0, height, 0, width)
    y0, y1, x0, x1 = (int(n) for n in wanted)
    y0, y1, x0, x1 = max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)
    if y1 <= y0 or x1 <= x0:
        raise ValueError(
            f"The region y {wanted[0]}:{wanted[1]}, x {wanted[2]}:{wanted[3]} does not meet the "
            f"image of {height} x {width} pixels."
        )
    return (y0, y1, x0, x1)
