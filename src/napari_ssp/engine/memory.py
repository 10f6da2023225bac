"""Batch sizes: how many windows a device holds at once, guessed, measured, and remembered."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine.tiling import smaller_window

if TYPE_CHECKING:
    from napari_ssp.engine.tiling import Shape

#: Bytes per pixel of a window before one was computed: 256 channels of float32.
_GUESSED_BYTES = 1024
#: More windows at once do not make a GPU faster.
_MOST = 32
#: Part of the free memory that is used; the rest is for what the caching allocator loses.
_USED = 0.75
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


class Capacity:
    """What fits into a device's memory, learned as windows are computed.

    It outlives a prediction, so that the next plane does not run out of memory again.
    """

    def __init__(self) -> None:
        self._windows: dict[Shape, Shape] = {}
        self._most: dict[Shape, int] = {}
        self._bytes: dict[Shape, int] = {}

    def window(self, wanted: Shape) -> Shape:
        """Window that fits, as far as is known."""
        return self._windows.get(wanted, wanted)

    def batch(self, window: Shape, wanted: int, device: torch.device) -> int:
        """Count the windows to compute at once; 0 wants as many as are useful and fit."""
        most = self._most.get(window, 2**31)
        return min(wanted or self._fitting(window, device), most)

    def halve(self, window: Shape, failed: int) -> int:
        """Remember that so many windows were too many; half of them, 0 when it was one."""
        self._most[window] = failed // 2
        return failed // 2

    def shrink(self, wanted: Shape, failed: Shape) -> Shape | None:
        """Remember that a window is too large; the next smaller one, None when there is none."""
        smaller = smaller_window(failed)
        if smaller is not None:
            self._windows[wanted] = smaller
        return smaller

    def measure(self, window: Shape, count: int, device: torch.device, before: int) -> None:
        """Note the peak of memory that a batch took on a GPU."""
        if device.type == "cuda" and window not in self._bytes:
            peak = torch.cuda.max_memory_allocated(device) - before
            self._bytes[window] = max(peak // count, 1)

    def _fitting(self, window: Shape, device: torch.device) -> int:
        # On a CPU, one window after the other is fastest: it stays in the cache.
        if device.type == "cpu":
            return 1
        needed = self._bytes.get(window, prod(window) * _GUESSED_BYTES)
        return int(min(max(_USED * free_memory(device) / needed, 1), _MOST))


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU's memory that can still be taken."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    free, _ = torch.cuda.mem_get_info(device)
    # What torch keeps for later counts as free.
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def start_measuring(device: torch.device) -> int:
    """Bytes in use before a batch; the peak is counted anew from here."""
    if device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of any device says that memory is short."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return any(words in str(error).lower() for words in _NO_MEMORY)


def move_values(values: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Values on a device, or where they are when it has too little memory."""
    try:
        return values.to(device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return values


def room(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Float32 room for a result on a device, or on the CPU when that has too little."""
    try:
        return torch.empty(shape, device=device)
    except (RuntimeError, MemoryError) as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    return torch.empty(shape)
