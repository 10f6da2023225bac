"""Background that may be an object nobody drew: it becomes not annotated instead of learned.

All follow one thought: what looks like the annotated objects but is none of them is left open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from examples import UNKNOWN
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.filters import threshold_otsu

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

#: Smoothing of a picture before it is compared, and how far around an object is left open.
_SMOOTH, _AROUND = 1.5, 4
#: Smaller spots are noise.
_SMALLEST = 20


def without_strangers(
    labels: NDArray[Any], signal: NDArray[Any], share: float = 0.25, around: int = _AROUND
) -> NDArray[np.int32]:
    """Leave background open whose signal is that of an object.

    Parameters
    ----------
    labels : numpy.ndarray
        (Y, X), 0 is background.
    signal : numpy.ndarray
        (Y, X), high in objects.
    share : float
        Share of the objects' pixels that lie below the limit.
    around : int
        Pixels around such a spot that are left open as well.
    """
    smooth = ndimage.gaussian_filter(signal.astype(np.float32), _SMOOTH)
    limit = np.quantile(smooth[labels > 0], share)
    near = ndimage.binary_dilation(labels > 0, iterations=3)
    spots, count = ndimage.label((smooth > limit) & ~near & (labels == 0))
    sizes = np.bincount(spots.ravel(), minlength=count + 1)
    seen = (spots > 0) & (sizes[spots] >= _SMALLEST)
    doubtful = ndimage.binary_dilation(seen, iterations=around) & (labels == 0)
    return np.where(doubtful, UNKNOWN, labels).astype(np.int32)


def without_objects_of_another(
    labels: NDArray[Any], others: NDArray[Any], most: float = 0.5
) -> NDArray[np.int32]:
    """Leave open what a second expert drew and the first, by more than half of it, did not."""
    missed = np.bincount(others[labels == 0].ravel(), minlength=int(others.max()) + 1)
    sizes = np.maximum(np.bincount(others.ravel(), minlength=len(missed)), 1)
    drawn = (missed / sizes > most)[others] & (others > 0) & (labels == 0)
    return np.where(drawn, UNKNOWN, labels).astype(np.int32)


def without_fragments(labels: NDArray[Any], smallest: int) -> NDArray[np.int32]:
    """Leave objects open that a watershed made of noise."""
    sizes = np.bincount(labels.ravel())
    return np.where((sizes[labels] < smallest) & (labels > 0), UNKNOWN, labels).astype(np.int32)


def haematoxylin(picture: NDArray[Any]) -> NDArray[np.float32]:
    """Amount of the nuclear stain in stained tissue (Y, X, 3)."""
    return np.asarray(rgb2hed(picture)[..., 0], np.float32)


def from_boxes(
    picture: NDArray[Any], boxes: Iterable[tuple[int, int, int, int]]
) -> NDArray[np.int32]:
    """Labels of round cells of which only boxes (x0, y0, x1, y1) are known.

    The ellipse in a box is a cell; where two overlap, and whatever else is not as bright as the
    empty slide, is left open.
    """
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width]
    labels, times = np.zeros((height, width), np.int32), np.zeros((height, width), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes, 1):
        across, up = (x - (x0 + x1) / 2) / (x1 - x0), (y - (y0 + y1) / 2) / (y1 - y0)
        inside = across**2 + up**2 <= 0.25
        labels[inside] = number
        times += inside
    green = ndimage.gaussian_filter(picture[..., 1].astype(np.float32), _SMOOTH)
    stained = ndimage.binary_dilation(green < threshold_otsu(green), iterations=_AROUND)
    return np.where((times > 1) | (stained & (times == 0)), UNKNOWN, labels).astype(np.int32)
