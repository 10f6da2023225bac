"""Headers of training stacks: what they are, and whether structures can be learned from them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_ssp.io import read_image
from napari_ssp.io.reading import list_images
from napari_ssp.io.scene import list_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage, VoxelSize

#: Voxel sizes that differ by more than this share are called different.
_SAME_SIZE = 0.02


class StackHeader(NamedTuple):
    """Shape (Z, Y, X), or (Y, X) of a projection, and voxel size (z, y, x) in µm."""

    shape: tuple[int, ...]
    voxel_size: VoxelSize | None


def stack_header(path: Path, role: str, channel: int | None) -> StackHeader:
    """Header of a file of a pair.

    Parameters
    ----------
    path : pathlib.Path
        An image file.
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
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    state = path.stat()
    return _header(path, role, channel, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65536)
def _header(path: Path, role: str, channel: int | None, changed: int, size: int) -> StackHeader:
    images = list_images(path)
    if len(images) > 1:
        names = [str(one.scene) for one in images]
        raise ValueError(
            f"the {role} {path.name} holds {list_names(names)}; save each as a file of its own"
        )
    image = read_image(path)
    check_stack(image, role, channel)
    shape = tuple(image.sizes[letter] for letter in "zyx" if letter in image.axes)
    return StackHeader(shape, image.voxel_size)


def check_stack(image: MicroscopyImage, role: str, channel: int | None) -> None:
    """Refuse images that no structure can be learned from; reads no pixels.

    Raises
    ------
    ValueError
        When it has colours or several time points, no such channel, or as a signal no z axis.
    """
    if image.rgb or image.sizes.get("t", 1) > 1:
        what = "a colour image" if image.rgb else "a time series"
        raise ValueError(f"the {role} is {what}; give a grey stack")
    if role == "signal" and "z" not in image.axes:
        raise ValueError(
            f"the signal has the axes '{image.axes}', shape {image.shape}, and no z; structures "
            "are learned from z-stacks"
        )
    if channel is not None and channel >= image.num_channels:
        raise ValueError(f"the {role} has {image.num_channels} channels, so there is no {channel}")


def check_shapes(signal: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Compare the shapes of a pair.

    Raises
    ------
    ValueError
        When the target's is neither the signal's nor that of its planes.
    """
    if len(signal) != 3 or target not in (signal, signal[1:]):
        raise ValueError(
            f"the signal is {signal} and the target {target}; a target has the signal's shape "
            "(Z, Y, X), or (Y, X) where it is a projection"
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
