"""Run any callable over an array of any size, window by window.

Windows overlap and are blended with an importance map. Between two batches the generator yields its
progress; closing it there cancels the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_ssp.engine.blending import Map, gaussian_window
from napari_ssp.engine.device import release_memory
from napari_ssp.engine.tiling import Tile, count_tiles, padding, smaller_window, tiles
from napari_ssp.progress import Progress

if TYPE_CHECKING:
    from napari_ssp.progress import Steps

Network = Callable[[torch.Tensor], torch.Tensor]

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


@dataclass(frozen=True)
class TileSettings:
    """How an array is cut, computed and blended.

    Attributes
    ----------
    window : tuple of int
        Lengths of a window, one per spatial axis, as the network needs them.
    overlap : float
        Share of a window that it has in common with the next one, from 0 to below 1.
    batch_size : int
        Windows computed at once; halved by itself when memory is short.
    device : str or torch.device
        Where the network is and computes.
    importance : callable
        Window lengths to float32 weights of that shape, all above 0.
    """

    window: tuple[int, ...]
    overlap: float = 0.5
    batch_size: int = 4
    device: str | torch.device = "cpu"
    importance: Callable[[tuple[int, ...]], Map] = gaussian_window

    def __post_init__(self) -> None:
        if not self.window or min(self.window) < 1 or self.batch_size < 1:
            raise ValueError(
                f"The window is {self.window} and the batch {self.batch_size}; "
                "window lengths and batch size must be at least 1."
            )
        if not 0 <= self.overlap < 1:
            raise ValueError(f"The overlap is {self.overlap}; give a share from 0 to below 1.")


def predict_tiles(
    network: Network, array: npt.NDArray[Any] | torch.Tensor, settings: TileSettings
) -> Steps[npt.NDArray[np.float32]]:
    r"""Compute a network's output for a whole array.

    Parameters
    ----------
    network : callable
        Maps a float32 tensor (N, C, \\*window) to a tensor (N, C_out, \\*window).
    array : array or tensor, shape (C, \\*spatial)
        Input. An axis shorter than the window is padded with zeros, half on each side.
    settings : TileSettings
        Window, overlap, batch, device and blending.

    Yields
    ------
    Progress
        Stage "windows", once before the first batch and after every batch.

    Returns
    -------
    numpy.ndarray
        float32, shape (C_out, \\*spatial).

    Raises
    ------
    ValueError
        If the array is empty or its axes do not fit the window.
    RuntimeError
        If the network returns another shape, or NaN or infinity.
    MemoryError
        If one window of the smallest size does not fit into the device's memory.
    """
    image = _checked_image(array, settings)
    try:
        attempt: TileSettings | None = settings
        while attempt is not None:
            result = yield from _predict_at_one_size(network, image, attempt)
            if result is not None:
                return result
            window = smaller_window(attempt.window)
            attempt = replace(attempt, window=window) if window else None
    except BaseException:  # also the GeneratorExit of a cancelled job
        release_memory(settings.device)
        raise
    raise MemoryError(_no_memory_message(settings))


def _predict_at_one_size(
    network: Network, image: torch.Tensor, settings: TileSettings
) -> Steps[npt.NDArray[np.float32] | None]:
    """Blend all windows, or return None when not even one window fits into memory."""
    spatial = tuple(image.shape[1:])
    margins = padding(spatial, settings.window)
    padded = _pad(image, margins)
    shape = tuple(padded.shape[1:])
    remaining = tiles(shape, settings.window, settings.overlap)
    total, done = count_tiles(shape, settings.window, settings.overlap), 0
    blend = _Blend(shape, settings)
    batch_size = settings.batch_size
    yield Progress("windows", 0, total)
    while batch := list(islice(remaining, batch_size)):
        while batch:
            if _add_batch(network, padded, batch[:batch_size], blend):
                done += len(batch[:batch_size])
                batch = batch[batch_size:]
                yield Progress("windows", done, total)
                continue
            release_memory(settings.device)
            if batch_size == 1:
                return None
            batch_size //= 2
    inside = tuple(slice(m[0], m[0] + n) for m, n in zip(margins, spatial, strict=True))
    return blend.result(inside)


class _Blend:
    """Weighted sum of windows and sum of their weights, both in main memory."""

    def __init__(self, shape: tuple[int, ...], settings: TileSettings) -> None:
        self.device = torch.device(settings.device)
        weights = np.require(settings.importance(settings.window), np.float32, ["C", "W"])
        self._importance = torch.from_numpy(weights)
        self._shape = shape
        self._weights = torch.zeros(shape)
        self._sum: torch.Tensor | None = None

    def add(self, tile: Tile, output: torch.Tensor) -> None:
        if self._sum is None:
            self._sum = torch.zeros(len(output), *self._shape)
        self._sum[(slice(None), *tile)] += output * self._importance
        self._weights[tile] += self._importance

    def result(self, inside: Tile) -> npt.NDArray[np.float32]:
        assert self._sum is not None
        blended: npt.NDArray[np.float32] = self._sum.numpy()
        blended /= self._weights.numpy()
        return np.ascontiguousarray(blended[(slice(None), *inside)])


def _add_batch(
    network: Network, padded: torch.Tensor, batch: Sequence[Tile], blend: _Blend
) -> bool:
    """Compute one batch; False when it does not fit into memory."""
    # Entered here and left before any yield: a suspended generator would leak the mode.
    with torch.inference_mode():
        windows = torch.stack([padded[(slice(None), *tile)] for tile in batch])
        outputs = _run(network, windows, blend.device)
        if outputs is None:
            return False
        _check_outputs(outputs, windows, batch)
        for tile, output in zip(batch, outputs, strict=True):
            blend.add(tile, output)
    return True


def _run(network: Network, windows: torch.Tensor, device: torch.device) -> torch.Tensor | None:
    try:
        return network(windows.to(device)).to("cpu", torch.float32)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in _NO_MEMORY)


def _check_outputs(outputs: torch.Tensor, windows: torch.Tensor, batch: Sequence[Tile]) -> None:
    expected = (len(windows), *windows.shape[2:])
    if (len(outputs), *outputs.shape[2:]) != expected:
        raise RuntimeError(
            f"The model returned shape {tuple(outputs.shape)} for an input of shape "
            f"{tuple(windows.shape)}; batch and spatial lengths must stay the same. "
            "Check that the model fits this kind of image and the window size."
        )
    bad = ~torch.isfinite(outputs).flatten(1).all(dim=1)
    if bad.any():
        place = ", ".join(f"{s.start}:{s.stop}" for s in batch[int(bad.nonzero()[0])])
        cause = "weights" if torch.isfinite(windows).all() else "input, which is not finite itself"
        raise RuntimeError(
            f"The model produced NaN or infinite values in the window [{place}]. "
            f"Check the {cause}; on a graphics card, try the CPU to rule out its precision."
        )


def _checked_image(array: npt.NDArray[Any] | torch.Tensor, settings: TileSettings) -> torch.Tensor:
    if array.ndim != len(settings.window) + 1 or 0 in array.shape:
        raise ValueError(
            f"The array has shape {tuple(array.shape)}; a window of {settings.window} needs "
            f"channels first, then {len(settings.window)} spatial axes, none of them empty."
        )
    if isinstance(array, torch.Tensor):
        return array.detach().to("cpu", torch.float32)
    return torch.from_numpy(np.require(array, np.float32, ["C", "W"]))


def _pad(image: torch.Tensor, margins: list[tuple[int, int]]) -> torch.Tensor:
    flat = [pixels for before_after in reversed(margins) for pixels in before_after]
    return torch.nn.functional.pad(image, flat) if any(flat) else image


def _no_memory_message(settings: TileSettings) -> str:
    smallest = settings.window
    while (window := smaller_window(smallest)) is not None:
        smallest = window
    return (
        f"The device '{settings.device}' has too little memory: windows from {settings.window} "
        f"down to {smallest} pixels failed even one at a time. Close other programs that use the "
        "device, choose device 'cpu' or a smaller model."
    )
