"""Shared parts of all ways to run a BioImage.IO package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from napari_ssp.engine import (
    TileSettings,
    View,
    floored_gaussian_window,
    gaussian_window,
    predict_tiles,
    resample,
    resolve_device,
)
from napari_ssp.engine.volume import Resampler
from napari_ssp.progress import in_background
from napari_ssp.registry import FLOWS, ModelCard, apply_operations
from napari_ssp.registry.bioimage.network import RequestedNetwork
from napari_ssp.service.stack_grid import package_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.progress import Steps
    from napari_ssp.registry.bioimage.network import PackageNetwork
    from napari_ssp.service.model_cache import ModelCache
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
    views : sequence of View
        How the image is looked at; the results are averaged before the package's own
        postprocessing.
    """

    def __init__(
        self,
        card: ModelCard,
        request: SegmentRequest | PredictRequest,
        models: ModelCache,
        views: Sequence[View] = (View(),),
    ) -> None:
        wanted = resolve_device(request.device)
        # Graphs of ONNX are computed on the CPU.
        self.device = torch.device("cpu") if card.network["format"] == "onnx" else wanted
        self._card = card
        self._axes = ("channel", *card.axes)
        self._network = cast("PackageNetwork", models.get(card, self.device))
        has_flows = card.network["output"] == FLOWS
        self._settings = TileSettings(
            card.window,
            card.overlap if request.overlap is None else request.overlap,
            request.batch_size,
            self.device,
            # Flows are blended as those of our own networks.
            floored_gaussian_window if has_flows else gaussian_window,
            views if has_flows else [view.without_directions() for view in views],
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

    def compute_outputs(self, prepared: NDArray[np.float32]) -> Steps[NDArray[np.float32]]:
        """Compute the outputs (C, ...) of a prepared image, window by window."""
        window = package_window(self._card, prepared.shape[1:])
        settings = replace(self._settings, window=window)
        # A network that does not end must not keep a cancel from being heard.
        network = RequestedNetwork(self._network)
        windows = predict_tiles(network, prepared, settings)
        found = yield from in_background(windows, network.stop)
        return apply_operations(found, self._axes, self._card.network["postprocessing"])


def resize_planes(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Bring planes (C, Y, X) to another size, unless they have it."""
    return values if values.shape[1:] == shape else resample(values, shape)


def resample_grid(
    values: NDArray[np.float32], shape: tuple[int, ...], order: int
) -> NDArray[np.float32]:
    """Bring stacks (C, Z, Y, X) to another grid with splines, unless they are on it."""
    if values.shape[1:] == shape:
        return values
    whole = tuple(slice(0, n) for n in shape)
    return np.stack([_resampler(v, shape, order).block(whole).astype(np.float32) for v in values])


def _resampler(values: NDArray[np.float32], shape: tuple[int, ...], order: int) -> Resampler:
    def read(tile: Any) -> NDArray[Any]:
        part: NDArray[Any] = values[tile]
        return part

    return Resampler(read, values.shape, shape, order)
