"""Windows read from a source and put through a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import torch

from napari_ssp.engine.memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.engine.layout import PlacedWindow
    from napari_ssp.engine.tiling import Tile

Network = Callable[[torch.Tensor], torch.Tensor]

#: Outputs of windows of one single value that are kept.
_KEPT = 4


class Source(Protocol):
    """Where windows come from: an array that need not be in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the spatial axes."""

    def read(self, tile: Tile) -> torch.Tensor:
        """Float32 (C, lengths) of a box inside of the array."""


class WindowComputer:
    """Computes windows, those without content only once.

    A network gives the same answer for the same input, so of all windows whose channels have one
    single value each, one is computed; as a rule it is the empty margin of a slide.

    Parameters
    ----------
    network : callable
        Maps a float32 tensor (N, C, *window) to a tensor (N, C_out, *window).
    source : Source
        Where pixels come from.
    device : torch.device
        Where the network computes.
    """

    def __init__(self, network: Network, source: Source, device: torch.device) -> None:
        self._network = network
        self._source = source
        self._device = device
        self._known: dict[tuple[float, ...], torch.Tensor] = {}

    def outputs(self, batch: Sequence[PlacedWindow]) -> list[torch.Tensor] | None:
        """Compute outputs (C_out, lengths), as each view shows them; None when memory was short.

        Raises
        ------
        RuntimeError
            If the network returns another shape, or NaN or infinity.
        """
        try:
            windows = torch.stack([self._read(look) for look in batch]).to(self._device)
            keys = _single_values(windows)
            todo = self._unknown(keys)
            if len(todo) < len(batch):
                windows = windows[todo]
            computed = self._network(windows).float() if todo else windows
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        if todo:
            _check_outputs(computed, windows, [batch[index] for index in todo])
        found = dict(zip(todo, computed, strict=True))
        single = {key: found[n].clone() for n, key in enumerate(keys) if key and n in found}
        answers = self._known | single
        self._known = dict(list(answers.items())[-_KEPT:])
        return [found[n] if n in found else answers[key or ()] for n, key in enumerate(keys)]

    def _read(self, look: PlacedWindow) -> torch.Tensor:
        """Window as its view shows it, with zeros around an array that is shorter."""
        box, margins = [], []
        for part, length in zip(look.place, self._source.shape, strict=True):
            inside = slice(max(part.start, 0), min(part.stop, length))
            box.append(inside)
            margins.append((inside.start - part.start, part.stop - inside.stop))
        pixels = self._source.read(tuple(box))
        flat = [pixels_outside for pair in reversed(margins) for pixels_outside in pair]
        return look.view.apply(torch.nn.functional.pad(pixels, flat) if any(flat) else pixels)

    def _unknown(self, keys: Sequence[tuple[float, ...] | None]) -> list[int]:
        """Windows that have to be computed: of those with the same single values, the first."""
        todo: list[int] = []
        seen = set(self._known)
        for index, key in enumerate(keys):
            if key is None or key not in seen:
                todo.append(index)
            if key is not None:
                seen.add(key)
        return todo


def _single_values(windows: torch.Tensor) -> list[tuple[float, ...] | None]:
    """Value of each channel of the windows that have one single value per channel."""
    low, high = windows.flatten(2).aminmax(dim=2)
    # One transfer for the batch: asking a GPU window by window would stop it each time.
    values, same = low.tolist(), (low == high).all(dim=1).tolist()
    return [tuple(v) if single else None for v, single in zip(values, same, strict=True)]


def _check_outputs(
    outputs: torch.Tensor, windows: torch.Tensor, batch: Sequence[PlacedWindow]
) -> None:
    expected = (len(windows), *windows.shape[2:])
    if (len(outputs), *outputs.shape[2:]) != expected:
        raise RuntimeError(
            f"The model returned shape {tuple(outputs.shape)} for an input of shape "
            f"{tuple(windows.shape)}; batch and spatial lengths must stay the same. "
            "Check that the model fits this kind of image and the window size."
        )
    bad = ~torch.isfinite(outputs).flatten(1).all(dim=1)
    if bad.any():
        place = ", ".join(f"{s.start}:{s.stop}" for s in batch[int(bad.nonzero()[0])].place)
        cause = "weights" if torch.isfinite(windows).all() else "input, which is not finite itself"
        raise RuntimeError(
            f"The model produced NaN or infinite values in the window [{place}]. "
            f"Check the {cause}; on a graphics card, try the CPU to rule out its precision."
        )
