"""What all ways to run a BioImage.IO package share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_ssp.engine import (
    TileSettings,
    floored_gaussian_window,
    gaussian_window,
    predict_tiles,
    resample,
    resolve_device,
)
from napari_ssp.registry import FLOWS, ModelCard, apply_operations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.progress import Steps
    from napari_ssp.service.models import ModelCache
    from napari_ssp.service.requests import PredictRequest, SegmentRequest


class PackageRun:
    """A package's network and what is done before and after it.

    Parameters
    ----------
    card : ModelCard
        Of a package.
    request : SegmentRequest or PredictRequest
        Device, overlap and batch.
    models : ModelCache
        Where networks come from.
    """

    def __init__(
        self,
        card: ModelCard,
        request: SegmentRequest | PredictRequest,
        models: ModelCache,
    ) -> None:
        wanted = resolve_device(request.device)
        # Graphs of ONNX are computed on the processor.
        self.device = torch.device("cpu") if card.network["format"] == "onnx" else wanted
        self._card = card
        self._axes = ("channel", *card.axes)
        self._network = models.get(card, self.device)
        self._settings = TileSettings(
            card.window,
            request.overlap,
            request.batch_size,
            self.device,
            # Flows are blended as those of our own networks.
            floored_gaussian_window if card.network["output"] == FLOWS else gaussian_window,
        )

    def prepared(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Give an image, grey (...) or in colours (..., 3), as the network wants it, (C, ...)."""
        colours = values.ndim > len(self._card.axes)
        channels = np.moveaxis(values, -1, 0) if colours else values[None]
        if self._card.network["input_channels"] == 1:
            channels = channels.mean(axis=0, keepdims=True, dtype=np.float64)
        elif not colours:
            channels = np.repeat(channels, 3, axis=0)
        return apply_operations(channels, self._axes, self._card.network["preprocessing"])

    def computed(self, prepared: NDArray[np.float32]) -> Steps[NDArray[np.float32]]:
        """Compute the outputs (C, ...) of a prepared image, window by window."""
        window = fitting_window(self._card, prepared.shape[1:])
        settings = replace(self._settings, window=window)
        found = yield from predict_tiles(self._network, prepared, settings)
        return apply_operations(found, self._axes, self._card.network["postprocessing"])


def fitting_window(card: ModelCard, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Window of a package for an image: no longer than it needs, of a length that fits."""
    found = []
    for n, window, (least, step) in zip(shape, card.window, card.network["sizes"], strict=True):
        needed = least + max(-(-(n - least) // step), 0) * step if step else window
        found.append(min(window, needed))
    return tuple(found)


def resized(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Bring planes (C, Y, X) to another size, unless they have it."""
    return values if values.shape[1:] == shape else resample(values, shape)
