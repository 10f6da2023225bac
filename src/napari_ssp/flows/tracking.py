"""Flows to labels: pixels follow the flow, and those that meet are one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_ssp.flows.cleaning import fill_small_holes, remove_small_labels, tidy_mask
from napari_ssp.flows.diffusion import labels_to_flows
from napari_ssp.flows.kernels import follow
from napari_ssp.flows.threads import spread

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Networks predict flows in this many times unit length.
FLOW_SCALE = 5.0
#: An end point with more pixels than this can seed an object; around it, more than the second grow.
SEED_COUNT, GROW_COUNT = 10, 2
#: Growth around a seed, in pixels to each side.
REACH = 5
#: An object that covers more of the image than this is the background taken for a cell.
LARGEST_SHARE = 0.9


def flows_to_labels(
    flows: ArrayLike,
    cell_probability: ArrayLike,
    *,
    cell_threshold: float = 0.5,
    flow_threshold: float | None = 0.4,
    n_steps: int = 200,
    min_size: int = 16,
    device: str = "cpu",
) -> NDArray[np.uint32]:
    """Instance labels from a network's flows and cell probability.

    Every pixel above the cell threshold follows the flow; pixels that end at the same place are one
    object; objects whose own flows differ too much from the predicted ones are dropped.

    Parameters
    ----------
    flows : array_like
        Float (2, Y, X): flow_y, flow_x in the network's scale, 5 times unit vectors.
    cell_probability : array_like
        Float (Y, X) in [0, 1].
    cell_threshold : float
        Pixels with a higher probability belong to cells.
    flow_threshold : float or None
        Largest mean squared difference between an object's own flows and the predicted ones. None
        or 0 keeps every object.
    n_steps : int
        Euler steps that a pixel follows.
    min_size : int
        Smallest object kept, and smallest hole left open, in pixels.
    device : str
        Only ``"cpu"`` for now.

    Returns
    -------
    numpy.ndarray
        Uint32 (Y, X): 0 is background, objects are 1..n without gaps.

    Raises
    ------
    ValueError
        When the shapes do not match or a parameter is out of its range.

    References
    ----------
    Cellpose (Nature Methods 18, 2021) as used by MEDIAR (arXiv:2212.03465).
    """
    flow = np.asarray(flows, np.float32)
    probability = np.asarray(cell_probability, np.float32)
    _validate(flow, probability, n_steps, min_size, device)
    cells = tidy_mask(probability > cell_threshold, min_size)
    if not cells.any():
        return np.zeros(probability.shape, np.uint32)
    # All cell pixels move: the reference leaves those with a small flow_y behind and loses cells.
    unit = np.where(cells, flow / np.float32(FLOW_SCALE), np.float32(0))
    starts = np.argwhere(cells)
    labels = np.zeros(probability.shape, np.int32)
    labels[cells] = _group(_ends(unit, starts, n_steps), probability.shape)
    labels = _drop(labels, np.bincount(labels.ravel()) > LARGEST_SHARE * labels.size)
    if flow_threshold:
        labels = _drop(labels, _flow_errors(labels, unit) > flow_threshold)
    return remove_small_labels(fill_small_holes(labels, min_size), min_size)


def _validate(
    flow: NDArray[np.float32],
    probability: NDArray[np.float32],
    n_steps: int,
    min_size: int,
    device: str,
) -> None:
    if probability.ndim != 2 or flow.shape != (2, *probability.shape):
        raise ValueError(
            f"Flows must be (2, Y, X) and the cell probability (Y, X), got {flow.shape} and "
            f"{probability.shape}."
        )
    if n_steps < 1 or min_size < 0:
        raise ValueError(
            f"n_steps must be at least 1 and min_size at least 0, got {n_steps} and {min_size}."
        )
    if device != "cpu":
        raise ValueError(f"Flows are tracked on the CPU in this version, got device={device!r}.")


def _ends(unit: NDArray[np.float32], starts: NDArray[np.int64], n_steps: int) -> NDArray[np.int64]:
    """Pixels (n, 2) where the starts end."""
    ends = np.empty_like(starts)

    def work(part: NDArray[np.int64]) -> None:
        arrived = np.empty((len(part), 2), np.int64)
        follow(unit, starts[part], n_steps, arrived)
        ends[part] = arrived

    spread(work, np.full(len(starts), float(n_steps)))
    return ends


def _group(ends: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Object of every end point: seeds are the crowded local maxima, grown over crowded pixels."""
    crowd = np.zeros(shape, np.int32)
    np.add.at(crowd, (ends[:, 0], ends[:, 1]), 1)
    peaks = (crowd > SEED_COUNT) & (crowd == ndimage.maximum_filter(crowd, 5, mode="constant"))
    seeds = np.argwhere(peaks)
    # The most crowded seed is painted last and wins where two meet.
    seeds = seeds[np.argsort(crowd[peaks], kind="stable")]
    painted = np.zeros(shape, np.int32)
    for identity, (y, x) in enumerate(seeds, 1):
        window = (
            slice(max(y - REACH, 0), y + REACH + 1),
            slice(max(x - REACH, 0), x + REACH + 1),
        )
        grown = _grow(crowd[window] > GROW_COUNT, (min(y, REACH), min(x, REACH)))
        painted[window][grown] = identity
    return painted[ends[:, 0], ends[:, 1]]


def _grow(open_pixels: NDArray[np.bool_], seed: tuple[int, int]) -> NDArray[np.bool_]:
    grown = np.zeros_like(open_pixels)
    grown[seed] = True
    square = np.ones((3, 3), bool)
    result: NDArray[np.bool_] = ndimage.binary_dilation(grown, square, REACH, mask=open_pixels)
    return result


def _flow_errors(labels: NDArray[np.int32], unit: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared difference between own and predicted flows, by label (index 0: background)."""
    own = labels_to_flows(labels)
    squared = ((own - unit) ** 2).sum(axis=0)
    count = np.bincount(labels.ravel())
    total = np.bincount(labels.ravel(), weights=squared.ravel())
    return np.asarray(total / np.maximum(count, 1), np.float64)


def _drop(labels: NDArray[np.int32], bad: NDArray[np.bool_]) -> NDArray[np.int32]:
    keep = np.where(bad, 0, np.arange(len(bad))).astype(np.int32)
    keep[0] = 0
    return keep[labels]
