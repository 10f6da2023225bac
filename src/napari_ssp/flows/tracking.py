"""Flows to labels: pixels follow the flow, and those that meet are one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.flows.field import FLOW_SCALE, FlowField, TrackingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["FLOW_SCALE", "batch_to_labels", "flows_to_labels"]


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
        Float (2, Y, X): flow_y, flow_x, or (3, Z, Y, X): flow_z, flow_y, flow_x, in the network's
        scale, 5 times unit vectors.
    cell_probability : array_like
        Float (Y, X) or (Z, Y, X) in [0, 1].
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
        ``"cpu"``, or a device of torch such as ``"cuda"`` or ``"mps"``. Tensors that are on that
        device already stay there.

    Returns
    -------
    numpy.ndarray
        Uint32 (Y, X) or (Z, Y, X): 0 is background, objects are 1..n without gaps.

    Raises
    ------
    ValueError
        When the shapes do not match, values are not finite, or a parameter is out of its range.

    References
    ----------
    Cellpose (Nature Methods 18, 2021) as used by MEDIAR (arXiv:2212.03465).
    """
    settings = TrackingSettings(cell_threshold, flow_threshold, min_size)
    if str(device) == "cpu":
        return FlowField(flows, cell_probability, n_steps).labels(settings)
    return batch_to_labels([flows], [cell_probability], settings, n_steps=n_steps, device=device)[0]


def batch_to_labels(
    flows: Sequence[ArrayLike],
    cell_probabilities: Sequence[ArrayLike],
    settings: TrackingSettings | None = None,
    *,
    n_steps: int = 200,
    device: str = "cpu",
) -> list[NDArray[np.uint32]]:
    """Labels of several images of one shape; a GPU works on all of them at once.

    Parameters
    ----------
    flows : sequence of array_like
        One for every image, as for ``flows_to_labels``, or one array with a leading axis.
    cell_probabilities : sequence of array_like
        Likewise.
    settings : TrackingSettings, optional
        Thresholds and sizes.
    n_steps : int
        Euler steps that a pixel follows.
    device : str
        As for ``flows_to_labels``.

    Returns
    -------
    list of numpy.ndarray
        Uint32 labels, each numbered from 1.

    Raises
    ------
    ValueError
        As ``flows_to_labels``, or when the numbers or shapes of the images differ.
    """
    if len(flows) != len(cell_probabilities):
        raise ValueError(
            f"Every image needs flows and a cell probability, got {len(flows)} and "
            f"{len(cell_probabilities)}."
        )
    if str(device) == "cpu":
        pairs = zip(flows, cell_probabilities, strict=True)
        return [FlowField(flow, p, n_steps).labels(settings) for flow, p in pairs]
    from napari_ssp.flows.on_device import track_batch

    return track_batch(flows, cell_probabilities, settings or TrackingSettings(), n_steps, device)
