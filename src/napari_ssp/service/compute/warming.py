"""Preparations of a worker, begun when it starts, so that its first job does not wait for them."""

from __future__ import annotations

from typing import Any

from napari_ssp.service.compute.standing import DEVICE, describe_device
from napari_ssp.service.preparing import SEGMENTATION


def dask_setup(worker: Any) -> None:
    """Begin them, and say what the worker computes on; called by dask in the new process."""
    worker.startup_information[DEVICE] = lambda _: describe_device()
    SEGMENTATION.begin()
