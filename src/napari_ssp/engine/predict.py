"""Run any callable over an array of any size, window by window.

Windows overlap and are blended with an importance map. Between two batches the generator yields its
progress; closing it there cancels the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from napari_ssp.engine.accumulate import RollingBlend, Write
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


class Source(Protocol):
    """Where windows come from: an array that need not be in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the spatial axes."""

    def read(self, tile: Tile) -> torch.Tensor:
        """Float32 (C, lengths) of one window."""


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
    spatial = tuple(image.shape[1:])
    margins = padding(spatial, settings.window)
    source = _Padded(_pad(image, margins))
    result: npt.NDArray[np.float32] | None = None

    def write(tile: Tile, block: torch.Tensor) -> None:
        nonlocal result
        if result is None or len(result) != len(block):
            result = np.empty((len(block), *source.shape), np.float32)
        result[(slice(None), *tile)] = block.cpu().numpy()

    yield from predict_stream(network, source, settings, write)
    assert result is not None
    inside = tuple(slice(m[0], m[0] + n) for m, n in zip(margins, spatial, strict=True))
    return np.ascontiguousarray(result[(slice(None), *inside)])


def predict_stream(
    network: Network, source: Source, settings: TileSettings, write: Write
) -> Steps[None]:
    r"""Compute a network's output for an array that need not fit into memory, in either direction.

    Parameters
    ----------
    network : callable
        Maps a float32 tensor (N, C, \\*window) to a tensor (N, C_out, \\*window).
    source : Source
        Input, no axis shorter than the window.
    settings : TileSettings
        Window, overlap, batch, device and blending.
    write : callable
        Takes the place of a finished block, one slice per spatial axis, and the block,
        (C_out, \\*lengths) on the device. Blocks do not overlap and cover the array; when memory
        was short they come once more from the start.

    Yields
    ------
    Progress
        Stage "windows", once before the first batch and after every batch.

    Raises
    ------
    RuntimeError, MemoryError
        As :func:`predict_tiles`.
    """
    try:
        attempt: TileSettings | None = settings
        while attempt is not None:
            if (yield from _stream_at_one_size(network, source, attempt, write)):
                return
            window = smaller_window(attempt.window)
            attempt = replace(attempt, window=window) if window else None
    except BaseException:  # also the GeneratorExit of a cancelled job
        release_memory(settings.device)
        raise
    raise MemoryError(_no_memory_message(settings))


def _stream_at_one_size(
    network: Network, source: Source, settings: TileSettings, write: Write
) -> Steps[bool]:
    """Blend all windows; False when not even one window fits into memory."""
    axis = _longest_axis(source.shape, settings.window)
    remaining = tiles(source.shape, settings.window, settings.overlap, first=axis)
    total, done = count_tiles(source.shape, settings.window, settings.overlap), 0
    device = torch.device(settings.device)
    weights = np.require(settings.importance(settings.window), np.float32, ["C", "W"])
    blend = RollingBlend(source.shape, axis, weights, write, device)
    batch_size = settings.batch_size
    yield Progress("windows", 0, total)
    while batch := list(islice(remaining, batch_size)):
        while batch:
            if _add_batch(network, source, batch[:batch_size], blend, device):
                done += len(batch[:batch_size])
                batch = batch[batch_size:]
                yield Progress("windows", done, total)
                continue
            release_memory(settings.device)
            if batch_size == 1:
                return False
            batch_size //= 2
    blend.finish(source.shape[axis])
    return True


def _longest_axis(shape: tuple[int, ...], window: tuple[int, ...]) -> int:
    """Axis along which finished parts are handed on: the rest in memory is then smallest."""
    shares = [w / n for n, w in zip(shape, window, strict=True)]
    return shares.index(min(shares))


class _Padded:
    """An array in memory as a source."""

    def __init__(self, image: torch.Tensor) -> None:
        self._image = image
        self.shape = tuple(image.shape[1:])

    def read(self, tile: Tile) -> torch.Tensor:
        return self._image[(slice(None), *tile)]


def _add_batch(
    network: Network,
    source: Source,
    batch: Sequence[Tile],
    blend: RollingBlend,
    device: torch.device,
) -> bool:
    """Compute one batch; False when it does not fit into memory."""
    # Entered here and left before any yield: a suspended generator would leak the mode.
    with torch.inference_mode():
        windows = torch.stack([source.read(tile) for tile in batch])
        outputs = _run(network, windows, device)
        if outputs is None:
            return False
        _check_outputs(outputs, windows, batch)
        for tile, output in zip(batch, outputs, strict=True):
            blend.add(tile, output)
    return True


def _run(network: Network, windows: torch.Tensor, device: torch.device) -> torch.Tensor | None:
    try:
        return network(windows.to(device)).float()
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
