"""Stacks with measured fluorescence, written to a training set at a model's voxel size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.progress import Progress

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage, VoxelSize
    from napari_ssp.progress import Steps
    from napari_ssp.service.annotation.training_set import TrainingSet

#: Voxel sizes that differ by less than this share are called the same, as in training.
_SAME_SIZE = 0.02


def stack_steps(
    folder: TrainingSet,
    signal: MicroscopyImage,
    target: MicroscopyImage,
    voxel_size: VoxelSize | None = None,
) -> Steps[str]:
    """Write a pair of stacks.

    Parameters
    ----------
    folder : TrainingSet
        Where to; of the kind "structures".
    signal, target : MicroscopyImage
        Transmitted light (Z, Y, X), and fluorescence of the same region, (Z, Y, X) or (Y, X).
    voxel_size : tuple of float, optional
        (z, y, x) in µm to resample to, by cubic splines, where the stacks have another; those
        whose size is not known stay as they are.

    Yields
    ------
    Progress
        Before each of the two.

    Returns
    -------
    str
        Name of the pair.
    """
    yield Progress("saving the layers", 0, 2)
    signal = at_voxel_size(signal, voxel_size)
    yield Progress("saving the layers", 1, 2)
    target = at_voxel_size(target, voxel_size)
    return folder.add(folder.free_name(signal.name), signal, target).name


def differs(size: VoxelSize | None, wanted: VoxelSize | None) -> bool:
    """Whether two known voxel sizes are not the same."""
    if size is None or wanted is None:
        return False
    return float(np.abs(np.log(np.divide(size, wanted))).max()) > _SAME_SIZE


def at_voxel_size(image: MicroscopyImage, wanted: VoxelSize | None) -> MicroscopyImage:
    """Image with axes z, y, x, or y, x, brought to another voxel size; float32 if it changes."""
    if wanted is None or image.voxel_size is None or not differs(image.voxel_size, wanted):
        return image
    from napari_ssp.engine.volume import Resampler  # loads torch

    values = np.asarray(image.data)
    steps = dict(zip("zyx", np.divide(image.voxel_size, wanted), strict=True))
    shape = tuple(max(round(image.sizes[a] * float(steps[a])), 1) for a in image.axes)
    whole = tuple(slice(0, n) for n in shape)
    data = Resampler(values.__getitem__, values.shape, shape).block(whole).astype(np.float32)
    return replace(image, data=data, voxel_size=wanted, levels=())
