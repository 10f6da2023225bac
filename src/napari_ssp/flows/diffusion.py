"""Labels to flows: the training target, and the yardstick of the flow check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_ssp.flows.kernels import diffuse
from napari_ssp.flows.threads import spread

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def labels_to_flows(labels: ArrayLike) -> NDArray[np.float32]:
    """Point from every object pixel towards its object's middle, by unit vectors.

    Heat enters each object at the pixel nearest to the median of its coordinates and spreads for a
    number of steps set by the largest object in the image; the flow is the direction of the
    gradient of log(1 + heat).

    Parameters
    ----------
    labels : array_like
        Integer or bool (Y, X); 0 is background, ids may have gaps.

    Returns
    -------
    numpy.ndarray
        Float32 (2, Y, X): flow_y, flow_x. Length 1 inside objects (0 at the few pixels without a
        gradient), 0 in the background.

    Raises
    ------
    TypeError
        When the labels are not integers.
    ValueError
        When the labels are not two-dimensional or hold negative ids.

    References
    ----------
    C. Stringer, T. Wang, M. Michaelos, M. Pachitariu: Cellpose. Nature Methods 18 (2021), in the
    form used by MEDIAR (arXiv:2212.03465).
    """
    ids = consecutive(labels)
    boxes = _boxes(ids) if ids.size else np.empty((0, 5), np.int64)
    if len(boxes) == 0:
        return np.zeros((2, *ids.shape), np.float32)
    sizes = np.stack([boxes[:, 2] - boxes[:, 1], boxes[:, 4] - boxes[:, 3]])
    n_steps = int(2 * (sizes.sum(axis=0) + 2).max())
    sources = _sources(ids, len(boxes))
    heat = np.zeros((ids.shape[0] + 2, ids.shape[1] + 2))
    spread(
        lambda part: diffuse(ids, boxes[part], sources[part], n_steps, heat),
        sizes.prod(axis=0) * float(n_steps),
    )
    return _directions(heat, ids > 0)


def consecutive(labels: ArrayLike) -> NDArray[np.int32]:
    """Validate labels and renumber their objects to 1..n in the order of their ids."""
    array = np.asarray(labels)
    if array.ndim != 2:
        raise ValueError(
            f"Labels must be two-dimensional (Y, X), got shape {array.shape}. "
            "Convert a stack plane by plane."
        )
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"Labels must be integers, got {array.dtype}. Round them or label the mask first."
        )
    if array.size == 0:
        return array.astype(np.int32)
    if array.dtype.kind == "i" and int(array.min()) < 0:
        raise ValueError(f"Labels must not be negative, the smallest is {int(array.min())}.")
    if int(array.max()) < 4 * array.size:  # a table is faster than sorting
        present = np.bincount(array.ravel().astype(np.int64)) > 0
        present[0] = False
        return np.asarray(
            np.where(present, np.cumsum(present), 0)[array.astype(np.int64)], np.int32
        )
    ids, inverse = np.unique(array, return_inverse=True)
    offset = 0 if int(ids[0]) == 0 else 1
    return (inverse.reshape(array.shape) + offset).astype(np.int32)


def _boxes(ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """(id, y0, y1, x0, x1) of every object."""
    found = ndimage.find_objects(ids)
    rows = [(k, y.start, y.stop, x.start, x.stop) for k, (y, x) in enumerate(found, 1)]
    return np.array(rows, np.int64).reshape(-1, 5)


def _sources(ids: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Pixel of each object that is nearest to the median of its coordinates, the first in order."""
    y, x = np.nonzero(ids)
    owner = ids[y, x] - 1
    median_y = _medians(y, owner, count)
    median_x = _medians(x, owner, count)
    distance = (y - median_y[owner]) ** 2 + (x - median_x[owner]) ** 2
    order = np.lexsort((np.arange(len(y)), distance, owner))
    first = order[np.searchsorted(owner[order], np.arange(count))]
    return np.stack([y[first], x[first]], axis=1).astype(np.int64)


def _medians(
    values: NDArray[np.int64], owner: NDArray[np.int32], count: int
) -> NDArray[np.float64]:
    order = np.lexsort((values, owner))
    ordered = values[order]
    start = np.searchsorted(owner[order], np.arange(count))
    stop = np.append(start[1:], len(values))
    middle = start + stop
    result: NDArray[np.float64] = (ordered[(middle - 1) // 2] + ordered[middle // 2]) / 2.0
    return result


def _directions(heat: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the unit gradient; a touching neighbour's heat takes part, as in the reference."""
    gradient = np.stack([heat[2:, 1:-1] - heat[:-2, 1:-1], heat[1:-1, 2:] - heat[1:-1, :-2]])
    length = np.sqrt((gradient**2).sum(axis=0))
    return np.asarray(np.where(inside, gradient / (1e-20 + length), 0.0), np.float32)
