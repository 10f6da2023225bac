"""Labels to flows: the training target, and the yardstick of the flow check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.flows.directions import directions_in_plane, directions_in_volume
from napari_ssp.flows.heat import (
    measure_sizes,
    runs_by_object,
    spread_heat_in_plane,
    spread_heat_in_volume,
)
from napari_ssp.flows.threads import spread
from napari_ssp.labels import check_labels, number_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def labels_to_flows(labels: ArrayLike) -> NDArray[np.float32]:
    """Point from every object pixel towards its object's middle, by unit vectors.

    Heat enters each object at the pixel nearest to the median of its coordinates and spreads for a
    number of steps set by the largest object in the image. The flow of a plane is the direction of
    the gradient of log(1 + heat), where a touching object's heat takes part; that of a volume is
    the direction of the gradient of the heat of the own object.

    Parameters
    ----------
    labels : array_like
        Integer or bool (Y, X) or (Z, Y, X); 0 is background, ids may have gaps.

    Returns
    -------
    numpy.ndarray
        Float32 (2, Y, X): flow_y, flow_x, or (3, Z, Y, X): flow_z, flow_y, flow_x. Length 1 inside
        objects (0 at the few pixels without a gradient), 0 in the background.

    Raises
    ------
    TypeError
        When the labels are not integers.
    ValueError
        When the labels are not two- or three-dimensional or hold negative ids.

    References
    ----------
    C. Stringer, T. Wang, M. Michaelos, M. Pachitariu: Cellpose. Nature Methods 18 (2021), in the
    form used by MEDIAR (arXiv:2212.03465).
    """
    ids = consecutive(labels)
    volume = ids if ids.ndim == 3 else ids[None]
    flow = compute_flows(volume, int(ids.max(initial=0)), ids.ndim)
    return flow.reshape(ids.ndim, *ids.shape)


def compute_flows(ids: NDArray[np.int32], count: int, axes: int) -> NDArray[np.float32]:
    """Flows (axes, Z, Y, X) of objects 1..count without gaps; a plane has 2 axes and Z of 1."""
    if count == 0:
        return np.zeros((axes, *ids.shape), np.float32)
    runs, first = runs_by_object(ids, count)
    sizes = measure_sizes(runs, first)
    n_steps, heat = steps_for(sizes, axes == 2), np.zeros(ids.shape)
    cost = np.asarray(sizes[:, 3] * n_steps, np.float64)

    def work(part: NDArray[np.int64]) -> None:
        if axes == 2:
            spread_heat_in_plane(part, runs, first, n_steps, heat, False)
        else:
            spread_heat_in_volume(part, runs, first, n_steps, heat)

    spread(work, cost)
    return directions(heat, ids, axes)


def directions(heat: NDArray[np.float64], ids: NDArray[np.int32], axes: int) -> NDArray[np.float32]:
    """Give the unit vectors (axes, Z, Y, X) along the heat's gradient, 0 outside the objects."""
    flow = np.empty((axes, *ids.shape), np.float32)
    write = directions_in_plane if axes == 2 else directions_in_volume
    rows = np.full(ids.shape[0] * ids.shape[1], 4.0 * ids.shape[2])
    spread(lambda part: write(heat, ids, part, flow), rows)
    return flow


def heat_steps(ids: NDArray[np.int32], count: int, axes: int) -> int:
    """Count the steps that heat spreads in the largest of the objects, 0 without any."""
    return steps_for(measure_sizes(*runs_by_object(ids, count)), axes == 2) if count else 0


def steps_for(sizes: NDArray[np.int64], plane: bool) -> int:
    """Count the steps that heat spreads, from the sizes of all objects."""
    return int(2 * (sizes[:, int(plane) : 3].sum(axis=1) + 2).max())


def consecutive(labels: ArrayLike) -> NDArray[np.int32]:
    """Validate labels and renumber their objects to 1..n in the order of their ids."""
    array = np.asarray(labels)
    if array.ndim not in (2, 3):
        raise ValueError(
            f"Labels must be a plane (Y, X) or a volume (Z, Y, X), got shape {array.shape}. "
            "Take out one channel or time point first."
        )
    if array.dtype.kind != "b":  # a mask is one object
        array = check_labels(array)
    return number_labels(array)[1]
