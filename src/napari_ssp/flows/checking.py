"""The flow check: how far the predicted flows of an object are from those of its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.flows.diffusion import directions, steps_for
from napari_ssp.flows.heat import (
    measure_sizes,
    runs_by_object,
    spread_heat_in_plane,
    spread_heat_in_volume,
)
from napari_ssp.flows.jit import jit
from napari_ssp.flows.numbering import pixel_counts
from napari_ssp.flows.threads import spread
from napari_ssp.labels import known_labels, number_labels

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy.typing import NDArray

#: Numbers of each object.
AGREEMENT_FEATURES = 3
#: Share of an object's pixels that count as its most doubtful ones.
_DOUBTFUL = 0.1
#: Flows shorter than this have no direction.
_STILL = 1e-6


class FlowCheck:
    """Flow errors of objects; the heat of those that stay as they were is kept.

    Parameters
    ----------
    predicted : numpy.ndarray
        Float32 (axes, Z, Y, X), flows of unit length; a plane has 2 axes and Z of 1.
    """

    def __init__(self, predicted: NDArray[np.float32]) -> None:
        self._predicted = predicted
        self._heat = np.zeros((0, 0, 0))
        self._labels = np.zeros((0, 0, 0), np.int32)
        self._sizes = np.zeros(1, np.int64)
        self._n_steps = 0

    def errors(
        self, labels: NDArray[np.int32], count: int, least_steps: int = 0
    ) -> NDArray[np.float64]:
        """Mean squared difference of the flows of objects 1..count; index 0 is background.

        Parameters
        ----------
        labels : numpy.ndarray
            Int32 (Z, Y, X) without gaps; not to be changed afterwards.
        count : int
            How many objects there are.
        least_steps : int
            Of the heat in a larger image that the labels are a part of.
        """
        if count == 0:
            return np.zeros(1)
        runs, first = runs_by_object(labels, count)
        extents = measure_sizes(runs, first)
        is_plane = len(self._predicted) == 2
        n_steps = max(steps_for(extents, is_plane), least_steps)
        todo = np.flatnonzero(~self._keep(labels, count, n_steps)[1:])

        def work(part: NDArray[np.int64]) -> None:
            if is_plane:
                spread_heat_in_plane(todo[part], runs, first, n_steps, self._heat, True)
            else:
                spread_heat_in_volume(todo[part], runs, first, n_steps, self._heat)

        if len(todo):
            spread(work, np.asarray(extents[todo, 3] * n_steps, np.float64))
        own = directions(self._heat, labels, len(self._predicted))
        return flow_errors(labels, own, self._predicted, count)

    def _keep(self, labels: NDArray[np.int32], count: int, n_steps: int) -> NDArray[np.bool_]:
        """Whether the heat of an object is known; that of others is 0 now."""
        sizes = pixel_counts(labels, count)
        same = np.zeros(count + 1, np.bool_)
        if self._labels.shape == labels.shape and self._n_steps == n_steps:
            same = _same_objects(labels, sizes, self._labels, self._sizes)
            _forget(labels, same, self._heat)
        else:
            self._heat = np.zeros(labels.shape)
        self._labels, self._sizes, self._n_steps = labels, sizes, n_steps
        return same


@jit
def _same_objects(
    labels: NDArray[np.int32],
    sizes: NDArray[np.int64],
    before: NDArray[np.int32],
    sizes_before: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which objects have exactly the pixels of an object of before; background has not."""
    partner = np.zeros(len(sizes), np.int32)
    now, old = labels.reshape(-1), before.reshape(-1)
    for i in range(len(now)):
        k, j = now[i], old[i]
        if k > 0 and partner[k] == 0:
            partner[k] = j if j > 0 else -1
        elif k > 0 and partner[k] != j:
            partner[k] = -1
    same = np.zeros(len(sizes), np.bool_)
    for k in range(1, len(sizes)):
        same[k] = partner[k] > 0 and sizes[k] == sizes_before[partner[k]]
    return same


@jit
def _forget(labels: NDArray[np.int32], same: NDArray[np.bool_], heat: NDArray[np.float64]) -> None:
    """Set the heat to 0 outside the objects that stayed."""
    ids, flat = labels.reshape(-1), heat.reshape(-1)
    for i in range(len(ids)):
        if not same[ids[i]]:
            flat[i] = 0.0


@jit
def flow_errors(
    labels: NDArray[np.int32], own: NDArray[np.float32], predicted: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """Mean squared difference of two flows (axes, Z, Y, X), by object; index 0 is background."""
    total = np.zeros(count + 1)
    pixels = np.zeros(count + 1, np.int64)
    _, depth, height, width = own.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                k = labels[z, y, x]
                if k == 0:
                    continue
                pixels[k] += 1
                for a in range(own.shape[0]):
                    difference = own[a, z, y, x] - predicted[a, z, y, x]
                    total[k] += difference * difference
    for k in range(1, count + 1):
        total[k] /= max(pixels[k], 1)
    return total


def measure_agreement(
    labels: npt.ArrayLike, flows: npt.ArrayLike, cell_probability: npt.ArrayLike
) -> NDArray[np.float32]:
    """Measure how well each object of a plane agrees with a network's outputs.

    Parameters
    ----------
    labels : array_like of int
        (Y, X), 0 is background, -1 is not annotated. They may have been edited since.
    flows : array_like
        Float (2, Y, X) = [flow_y, flow_x], of any length.
    cell_probability : array_like
        Float (Y, X) in [0, 1].

    Returns
    -------
    numpy.ndarray
        Float32 (N, 3), in the order of the ids: 1 - mean cell probability; 1 - the cell probability
        that a tenth of its pixels stays below; mean squared difference of the directions of the
        flows from those of the object's own shape.

    Raises
    ------
    ValueError
        When the shapes do not fit.
    """
    ids, numbers = number_labels(known_labels(labels))
    moves = np.asarray(flows, np.float32)
    probability = np.asarray(cell_probability, np.float32)
    if moves.shape != (2, *numbers.shape) or probability.shape != numbers.shape:
        raise ValueError(
            f"The labels have shape {numbers.shape}, but the flows {moves.shape} and the cell "
            f"probability {probability.shape}. Give those of the same plane, (2, Y, X) and (Y, X)."
        )
    if not ids.size:
        return np.zeros((0, AGREEMENT_FEATURES), np.float32)
    directions = moves / np.maximum(np.hypot(*moves), _STILL)
    check = FlowCheck(np.ascontiguousarray(directions[:, None]))
    errors = check.errors(numbers[None].astype(np.int32), ids.size)[1:]
    mean, low = _mean_and_low(probability, numbers, ids.size)
    return np.stack([1 - mean, 1 - low, errors], axis=1).astype(np.float32)


def _mean_and_low(
    values: NDArray[np.float32], numbers: NDArray[np.integer], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of the values of each object, and the one that a tenth of them stays below."""
    inside = numbers > 0
    of_objects, found = numbers[inside], values[inside].astype(np.float64)
    order = np.lexsort((found, of_objects))
    ascending = found[order]
    areas = np.bincount(of_objects, minlength=count + 1)[1:]
    first = np.cumsum(areas) - areas
    sums = np.bincount(of_objects, found, minlength=count + 1)[1:]
    return sums / areas, ascending[first + (_DOUBTFUL * areas).astype(np.intp)]
