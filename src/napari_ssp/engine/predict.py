"""Prediction by any callable over an array of any size, window by window.

Windows overlap and are blended with an importance map. Between two batches the generator yields its
progress; closing it there cancels the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_ssp.engine.accumulate import RollingSum, Write
from napari_ssp.engine.blending import Map, gaussian_window
from napari_ssp.engine.device import release_memory
from napari_ssp.engine.layout import BlendWeights, Layout, PlacedWindow, iterate_windows
from napari_ssp.engine.memory import Capacity, move_values, room, start_measuring
from napari_ssp.engine.strips import strips
from napari_ssp.engine.tiling import Tile, smaller_window
from napari_ssp.engine.tta import IDENTITY, View
from napari_ssp.engine.windows import Network, Source, WindowComputer
from napari_ssp.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_ssp.progress import Steps


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
        Windows computed at once, of all views together; halved by itself when memory is short. 0
        takes as many as the free memory of a GPU holds, and one on a CPU.
    device : str or torch.device
        Where the network is and computes.
    importance : callable
        Window lengths to float32 weights of that shape, all above 0.
    views : sequence of View
        How the whole array is looked at; the results are averaged.
    capacity : Capacity
        What is known about the device's memory; shared by all that these settings are used for.
    """

    window: tuple[int, ...]
    overlap: float = 0.5
    batch_size: int = 0
    device: str | torch.device = "cpu"
    importance: Callable[[tuple[int, ...]], Map] = gaussian_window
    views: Sequence[View] = (IDENTITY,)
    capacity: Capacity = field(default_factory=Capacity, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.window or min(self.window) < 1 or self.batch_size < 0:
            raise ValueError(
                f"The window is {self.window} and the batch {self.batch_size}; window lengths "
                "must be at least 1, and the batch size too, or 0 for as many as fit."
            )
        if not 0 <= self.overlap < 1:
            raise ValueError(f"The overlap is {self.overlap}; give a share from 0 to below 1.")
        if not self.views:
            raise ValueError("No view was given; pass at least (View(),), the image as it is.")


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
        Window, overlap, batch, device, blending and views.

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
    result = yield from predict_tensor(network, array, settings, "cpu")
    return np.asarray(result.numpy(), np.float32)


def predict_tensor(
    network: Network,
    array: npt.NDArray[Any] | torch.Tensor,
    settings: TileSettings,
    keep_on: str | torch.device,
) -> Steps[torch.Tensor]:
    r"""Do what :func:`predict_tiles` does, and leave the result where the next stage needs it.

    Parameters
    ----------
    network, array, settings
        As for :func:`predict_tiles`.
    keep_on : str or torch.device
        Where the result is put together; it is the CPU when that has too little memory.

    Yields
    ------
    Progress
        As :func:`predict_tiles`.

    Returns
    -------
    torch.Tensor
        float32, shape (C_out, \\*spatial).

    Raises
    ------
    ValueError, RuntimeError, MemoryError
        As :func:`predict_tiles`.
    """
    source = _InMemory(_checked_image(array, settings), torch.device(settings.device))
    result: torch.Tensor | None = None

    def write(tile: Tile, block: torch.Tensor, is_more: bool) -> None:
        nonlocal result
        if result is None or len(result) != len(block):
            # Windows are added in inference mode; what comes of them may be changed later.
            with torch.inference_mode(False):
                result = room((len(block), *source.shape), torch.device(keep_on))
        spot = result[(slice(None), *tile)]
        spot.copy_(block.to(spot.device) + spot if is_more else block)

    yield from predict_stream(network, source, settings, write)
    assert result is not None
    return result


def predict_stream(
    network: Network,
    source: Source,
    settings: TileSettings,
    write: Write,
    box: Tile | None = None,
) -> Steps[None]:
    r"""Compute a network's output for an array that need not fit into memory, in either direction.

    Memory holds sums of a strip of four windows' width, however large the array is.

    Parameters
    ----------
    network : callable
        Maps a float32 tensor (N, C, \\*window) to a tensor (N, C_out, \\*window).
    source : Source
        Input. An axis shorter than the window is padded with zeros, half on each side.
    settings : TileSettings
        Window, overlap, batch, device, blending and views.
    write : callable
        Takes the place of a block, one slice per spatial axis, the block, (C_out, \\*lengths) on
        the device, and whether it is to be added to what came before at this place: where two
        strips meet. Blocks cover the array; when memory was short they come once more from the
        start.
    box : tuple of slice or None
        Part of the array that is computed, by all windows that touch it, with the values that it
        has in the whole; None computes all.

    Yields
    ------
    Progress
        Stage "windows", once before the first batch and after every batch.

    Raises
    ------
    RuntimeError, MemoryError
        As :func:`predict_tiles`.
    """
    capacity = settings.capacity
    try:
        window: tuple[int, ...] | None = capacity.window(settings.window)
        while window is not None:
            attempt = replace(settings, window=window)
            if (yield from _stream_at_one_size(network, source, attempt, write, box)):
                return
            window = capacity.shrink(settings.window, window)
    except BaseException:  # also the GeneratorExit of a cancelled job
        release_memory(settings.device)
        raise
    raise MemoryError(_no_memory_message(settings))


def _stream_at_one_size(
    network: Network, source: Source, settings: TileSettings, write: Write, box: Tile | None
) -> Steps[bool]:
    """Blend all windows of a box; False when not even one window fits into memory."""
    layouts = [
        Layout(source.shape, settings.window, settings.overlap, view) for view in settings.views
    ]
    axis = _rolling_axis(source.shape, settings.window)
    cut = strips(layouts, axis)
    if box is not None:
        longest = (max(settings.window),) * len(source.shape)
        cut = [inside for strip in cut if (inside := strip.within(box, longest)) is not None]
    count = sum(layout.count(strip.begins) for strip in cut for layout in layouts)
    device = torch.device(settings.device)
    weights = np.require(settings.importance(settings.window), np.float32, ["C", "W"])
    shares = BlendWeights(layouts, weights, device)
    computer, done = WindowComputer(network, source, device), 0
    yield Progress("windows", 0, count)
    for strip in cut:
        total = RollingSum(strip, axis, write, device)
        remaining = iterate_windows(layouts, strip.begins, axis)
        pending: list[PlacedWindow] = []
        while pending := pending or list(islice(remaining, _batch(settings))):
            part = pending[: _batch(settings)]
            if _add_batch(computer, part, shares, total, settings):
                pending = pending[len(part) :]
                done += len(part)
                yield Progress("windows", done, count)
                continue
            release_memory(device)
            if not settings.capacity.halve(settings.window, len(part)):
                return False
        total.finish(source.shape[axis])
    return True


def _rolling_axis(shape: tuple[int, ...], window: tuple[int, ...]) -> int:
    """Axis along which finished parts are handed on: the rest in memory is then smallest."""
    shares = [w / n for n, w in zip(shape, window, strict=True)]
    return shares.index(min(shares))


def _batch(settings: TileSettings) -> int:
    device = torch.device(settings.device)
    return settings.capacity.batch(settings.window, settings.batch_size, device)


def _add_batch(
    computer: WindowComputer,
    batch: Sequence[PlacedWindow],
    shares: BlendWeights,
    total: RollingSum,
    settings: TileSettings,
) -> bool:
    """Compute one batch; False when it does not fit into memory."""
    device = torch.device(settings.device)
    # Entered here and left before any yield: a suspended generator would leak the mode.
    with torch.inference_mode():
        before = start_measuring(device)
        outputs = computer.outputs(batch)
        if outputs is None:
            return False
        settings.capacity.measure(settings.window, len(batch), device, before)
        for look, output in zip(batch, outputs, strict=True):
            total.add(look.place, look.view.undo(output * shares.of(look)))
    return True


class _InMemory:
    """An array in memory as a source, on the device where it fits."""

    def __init__(self, image: torch.Tensor, device: torch.device) -> None:
        self._image = move_values(image, device)
        self.shape = tuple(image.shape[1:])

    def read(self, tile: Tile) -> torch.Tensor:
        return self._image[(slice(None), *tile)]


def _checked_image(array: npt.NDArray[Any] | torch.Tensor, settings: TileSettings) -> torch.Tensor:
    if array.ndim != len(settings.window) + 1 or 0 in array.shape:
        raise ValueError(
            f"The array has shape {tuple(array.shape)}; a window of {settings.window} needs "
            f"channels first, then {len(settings.window)} spatial axes, none of them empty."
        )
    if isinstance(array, torch.Tensor):
        return array.detach().to(torch.float32)
    return torch.from_numpy(np.require(array, np.float32, ["C", "W"]))


def _no_memory_message(settings: TileSettings) -> str:
    smallest = settings.window
    while (window := smaller_window(smallest)) is not None:
        smallest = window
    return (
        f"The device '{settings.device}' has too little memory: windows from {settings.window} "
        f"down to {smallest} pixels failed even one at a time. Close other programs that use the "
        "device, choose device 'cpu' or a smaller model."
    )
