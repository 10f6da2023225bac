"""Kernels loaded from disk, or compiled, before the first labels need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba.core.event import install_recorder

from napari_ssp.flows.checking import FlowCheck
from napari_ssp.flows.cleaning import fill_small_holes, remove_small_labels, tidy_mask
from napari_ssp.flows.field import FLOW_SCALE, FlowField, TrackingSettings
from napari_ssp.flows.heat import measure_sizes, runs_by_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_SIDE, _RADIUS = 24, 8.0


def compile_kernels() -> Iterator[None]:
    """Load from disk what labels of a plane need; an item after each part that had to be compiled.

    Volumes and blocks have kernels of their own, which wait for their first use.
    """
    parts = _label_disc()
    while True:
        with install_recorder("numba:compile") as compiled:
            if next(parts, None) is None:
                return
        if compiled.buffer:
            yield


def _label_disc() -> Iterator[str]:
    """Make labels of a small field, some kernels before each item.

    numba compiles a function for the arrays that it is called with. The first kernels are small:
    after them it is known whether they are on disk.
    """
    flows, probability = _disc()
    mask = probability > 0.5
    objects = mask.astype(np.int32)[None]
    remove_small_labels(objects, 1)
    yield "numbers"
    tidy_mask(mask, 1)
    yield "masks"
    fill_small_holes(objects, 1)
    yield "holes"
    FlowField(flows, probability).labels(TrackingSettings(flow_threshold=None))
    yield "tracking"
    measure_sizes(*runs_by_object(objects, 1))
    yield "sizes"
    FlowCheck(flows[:, None]).errors(objects, 1)
    yield "flow check"
    FlowField(flows, probability).labels()
    yield "all"


def _disc() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Flows (2, Y, X) and probability of a disc."""
    from_middle = np.mgrid[:_SIDE, :_SIDE].astype(np.float32) - _SIDE // 2
    distance = np.hypot(*from_middle)
    flows = -FLOW_SCALE * from_middle / np.maximum(distance, 1)
    return flows.astype(np.float32), (distance < _RADIUS).astype(np.float32)
