"""Run any callable over arrays of any size: normalise, cut into tiles, blend, undo."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_ssp.engine.blending import floored_gaussian_window, gaussian_window
from napari_ssp.engine.normalise import normalise
from napari_ssp.engine.tiling import count_tiles, tile_starts, tiles

if TYPE_CHECKING:
    from napari_ssp.engine.device import (
        DeviceInfo,
        available_devices,
        prepare_torch,
        release_memory,
        resolve_device,
    )
    from napari_ssp.engine.predict import TileSettings, predict_tiles
    from napari_ssp.engine.scaling import resample, zoomed_shape
    from napari_ssp.engine.tta import MEDIAR_VIEWS, View, average_networks, predict_views

#: Parts that need torch, and the modules they are in.
_HOMES = {
    "DeviceInfo": "device",
    "MEDIAR_VIEWS": "tta",
    "TileSettings": "predict",
    "View": "tta",
    "available_devices": "device",
    "average_networks": "tta",
    "predict_tiles": "predict",
    "predict_views": "tta",
    "prepare_torch": "device",
    "release_memory": "device",
    "resample": "scaling",
    "resolve_device": "device",
    "zoomed_shape": "scaling",
}

__all__ = [
    "MEDIAR_VIEWS",
    "DeviceInfo",
    "TileSettings",
    "View",
    "available_devices",
    "average_networks",
    "count_tiles",
    "floored_gaussian_window",
    "gaussian_window",
    "normalise",
    "predict_tiles",
    "predict_views",
    "prepare_torch",
    "release_memory",
    "resample",
    "resolve_device",
    "tile_starts",
    "tiles",
    "zoomed_shape",
]


def __getattr__(name: str) -> Any:
    """Load a part that needs torch on first use; geometry and grey levels never wait for it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
