"""Objects of masks: connected pixels, cut where boundaries are known, without small holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fill_holes(mask: NDArray[np.bool_], hole_size: int) -> NDArray[np.bool_]:
    """Fill holes of fewer pixels."""
    holes, _ = ndimage.label(~mask)
    return np.asarray(mask | (np.bincount(holes.ravel()) < hole_size)[holes])


def label_objects(
    mask: NDArray[np.bool_],
    boundary: NDArray[np.float32] | None,
    threshold: float,
    min_size: int,
) -> NDArray[np.uint32]:
    """Make labels of connected pixels; where boundaries are known, objects end there.

    Parameters
    ----------
    mask : numpy.ndarray
        Bool (Y, X) or (Z, Y, X): where objects are.
    boundary : numpy.ndarray or None
        Float32, of the same shape: how sure it is that objects touch or end there; objects grow
        from inside of these lines until they meet.
    threshold : float
        Boundaries above it count.
    min_size : int
        Smallest object, in pixels or voxels.

    Returns
    -------
    numpy.ndarray
        Uint32, of the same shape, from 1 without gaps.
    """
    if boundary is None:
        found, _ = ndimage.label(mask)
    else:
        from skimage.segmentation import watershed

        seeds, _ = ndimage.label(mask & (boundary <= threshold))
        grown: Any = watershed
        found = grown(boundary, seeds, mask=mask)
    sizes = np.bincount(found.ravel())
    kept = (sizes >= min_size) & (np.arange(len(sizes)) > 0)
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.uint32)
    return np.asarray(numbers[found])
