"""Headers of training stacks: what they are, and whether structures can be learned from them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_ssp.io import read_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_ssp.image import MicroscopyImage, VoxelSize
    from napari_ssp.io import ImageSource

#: Voxel sizes that differ by more than this share are called different.
_SAME_SIZE = 0.02


class StackHeader(NamedTuple):
    """Shape (Z, Y, X), or (Y, X) of a projection or plane, and voxel size (z, y, x) in µm."""

    shape: tuple[int, ...]
    voxel_size: VoxelSize | None


def stack_header(source: ImageSource, role: str, channel: int | None) -> StackHeader:
    """Header of an image of a pair.

    Parameters
    ----------
    source : ImageSource
        The image.
    role : str
        ``"signal"`` or ``"target"``.
    channel : int or None
        Channel to use, from 0.

    Raises
    ------
    ValueError
        When no structure can be learned from it.
    FileNotFoundError, OSError, TypeError, ImportError
        As `read_image`.
    """
    if not source.path.exists():
        raise FileNotFoundError(f"there is no file {source.path}")
    state = source.path.stat()
    return _header(source, role, channel, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _header(
    source: ImageSource, role: str, channel: int | None, changed: int, size: int
) -> StackHeader:
    image = read_image(source.path, source.scene)
    check_stack(image, role, channel)
    if role == "signal":
        image = as_stack(image)
    shape = tuple(image.sizes[letter] for letter in "zyx" if letter in image.axes)
    return StackHeader(shape, image.voxel_size)


def as_stack(image: MicroscopyImage) -> MicroscopyImage:
    """Make a plane a stack of one, as thick as a pixel; a stack stays as it is."""
    if "z" in image.axes:
        return image
    size = image.voxel_size and (image.voxel_size[1], *image.voxel_size[1:])
    return replace(image, data=image.data[None], axes=f"z{image.axes}", voxel_size=size, levels=())


def check_stack(image: MicroscopyImage, role: str, channel: int | None) -> None:
    """Refuse images that no structure can be learned from; reads no pixels.

    Raises
    ------
    ValueError
        When it has colours or several time points, or no such channel.
    """
    if image.rgb or image.sizes.get("t", 1) > 1:
        what = "a colour image" if image.rgb else "a time series"
        raise ValueError(f"the {role} is {what}; give a grey stack or plane")
    if channel is not None and channel >= image.num_channels:
        raise ValueError(f"the {role} has {image.num_channels} channels, so there is no {channel}")


def check_shapes(signal: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Compare the shapes of a pair.

    Raises
    ------
    ValueError
        When the target's is neither the signal's nor that of its planes.
    """
    if target not in (signal, signal[1:]):
        raise ValueError(
            f"the signal is {signal} and the target {target}; a target has the signal's shape "
            "(Z, Y, X), or (Y, X) where it is a projection or the signal is a plane"
        )


def common_size(sizes: Iterable[VoxelSize | None]) -> VoxelSize | None:
    """Voxel size on which all stacks agree that state one.

    Raises
    ------
    ValueError
        When they differ.
    """
    stated = sorted({size for size in sizes if size is not None})
    if not stated:
        return None
    if np.ptp(np.log(stated), axis=0).max() > _SAME_SIZE:
        shown = "; ".join(" × ".join(f"{n:g}" for n in size) for size in stated[:5])
        raise ValueError(
            f"The stacks have different voxel sizes (z × y × x in µm): {shown}. Bring them to one "
            "with 'napari-ssp data prepare structures', or train them apart."
        )
    return stated[0]
