"""Rescaling of images to the magnification that a network was trained at, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def median_diameter(images: Iterable[NDArray[Any]]) -> float | None:
    """Typical size of objects.

    Parameters
    ----------
    images : iterable of numpy.ndarray
        Labels, integers from 0 (background), (Y, X) each.

    Returns
    -------
    float or None
        Diameter, in pixels, of the disk with the median area of all objects; None without any.
    """
    areas = [np.unique(labels[labels > 0], return_counts=True)[1] for labels in images]
    found = np.concatenate([*areas, np.zeros(0, int)])
    return float(2 * np.sqrt(np.median(found) / np.pi)) if found.size else None


def resample(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample planes linearly, with smoothing where they shrink.

    Parameters
    ----------
    array : numpy.ndarray
        Float (C, Y, X).
    shape : tuple of int
        New lengths of y and x.

    Returns
    -------
    numpy.ndarray
        Float32 (C, *shape); the array itself when it has that shape already.
    """
    planes = np.ascontiguousarray(array, np.float32)
    if planes.shape[1:] == tuple(shape):
        return planes
    return np.asarray(resample_tensor(torch.from_numpy(planes), shape).numpy(), np.float32)


def resample_tensor(planes: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Do what :func:`resample` does with float32 planes (C, Y, X), on the device they are on."""
    if tuple(planes.shape[1:]) == tuple(shape):
        return planes
    return torch.nn.functional.interpolate(
        planes[None], size=tuple(shape), mode="bilinear", antialias=True
    )[0]
