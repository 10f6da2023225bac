"""Windowed prediction over arrays of any size: normalise, cut into windows, blend, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from napari_ssp.engine.blending import floored_gaussian_window, gaussian_window
from napari_ssp.engine.normalise import normalise
from napari_ssp.engine.tiling import count_tiles, tile_starts

if TYPE_CHECKING:
    from napari_ssp.engine.device import (
        DeviceInfo,
        available_devices,
        compute_dtype,
        prepare_torch,
        release_memory,
        resolve_device,
    )
    from napari_ssp.engine.predict import (
        TileSettings,
        predict_stream,
        predict_tensor,
        predict_tiles,
    )
    from napari_ssp.engine.scaling import (
        compute_zoomed_shape,
        median_diameter,
        resample,
        resample_tensor,
    )
    from napari_ssp.engine.tta import EIGHT_VIEWS, MEDIAR_VIEWS, View, average_networks


__all__ = [
    "EIGHT_VIEWS",
    "MEDIAR_VIEWS",
    "DeviceInfo",
    "TileSettings",
    "View",
    "available_devices",
    "average_networks",
    "compute_dtype",
    "compute_zoomed_shape",
    "count_tiles",
    "floored_gaussian_window",
    "gaussian_window",
    "median_diameter",
    "normalise",
    "predict_stream",
    "predict_tensor",
    "predict_tiles",
    "prepare_torch",
    "release_memory",
    "resample",
    "resample_tensor",
    "resolve_device",
    "tile_starts",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "device": [
            "DeviceInfo",
            "available_devices",
            "compute_dtype",
            "prepare_torch",
            "release_memory",
            "resolve_device",
        ],
        "predict": ["TileSettings", "predict_stream", "predict_tensor", "predict_tiles"],
        "scaling": ["median_diameter", "resample", "resample_tensor", "compute_zoomed_shape"],
        "tta": ["EIGHT_VIEWS", "MEDIAR_VIEWS", "View", "average_networks"],
    },
)
