"""Kernels compiled, or loaded from disk, before the first labels need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.flows.checking import FlowCheck
from napari_ssp.flows.cleaning import fill_small_holes, remove_small_labels, tidy_mask
from napari_ssp.flows.field import FLOW_SCALE, FlowField, TrackingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_SIDE, _RADIUS = 24, 8.0


def compile_kernels() -> Iterator[None]:
    """Compile what labels of a plane need, a few kernels before each item.

    It makes labels of a small field, because numba compiles a function for the arrays that it is
    called with. Volumes and blocks have kernels of their own, which wait for their first use.
    """
    flows, probability = _disc()
    mask = probability > 0.5
    tidy_mask(mask, 1)
    yield
    objects = mask.astype(np.int32)[None]
    remove_small_labels(fill_small_holes(objects, 1), 1)
    yield
    FlowField(flows, probability).labels(TrackingSettings(flow_threshold=None))
    yield
    FlowCheck(flows[:, None]).errors(objects, 1)
    yield
    FlowField(flows, probability).labels()
    yield


def _disc() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Flows (2, Y, X) and probability of a disc."""
    from_middle = np.mgrid[:_SIDE, :_SIDE].astype(np.float32) - _SIDE // 2
    distance = np.hypot(*from_middle)
    flows = -FLOW_SCALE * from_middle / np.maximum(distance, 1)
    return flows.astype(np.float32), (distance < _RADIUS).astype(np.float32)
