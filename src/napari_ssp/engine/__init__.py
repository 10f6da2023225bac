"""Windowed prediction over arrays of any size: normalise, cut into windows, blend, undo.

::

                         axis across
                  |<------ strip 0 ------>|
                             |<------ strip 1 ------>|
    rolling    |  [ written  ][ added to  ][ replaced ]
    axis       |  [ held sum of the current strip     ]
               v  [ not reached yet                   ]

- Windows overlap; the last of an axis is flush with its end. An axis shorter than a window is
  padded with zeros, the smaller half in front; what falls on padding is left out of the sum.
- Each view (mirrored, turned) has a layout of its own; places are those in the array, so all
  views fill one result.
- A window belongs to one strip, the one that it begins in. A strip is as long as the array on the
  rolling axis, four window lengths wide on the last axis across it, and one on any other.
- Within a strip windows come in order of their place on the rolling axis. What lies before the
  newest window is final in the strip's sum and is handed on: memory does not grow along that axis.
- Where an earlier strip reached, too, values are added to those written; elsewhere they replace.
- The blend weight of a pixel in a window is the importance there, divided by the sum over all
  windows of the view that cover the pixel, and by the number of views. The weights of a pixel add
  up to one, so the result is the plain sum of outputs times weights.
- When memory is short the batch is halved, then the window shrinks and all starts anew.
"""

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
