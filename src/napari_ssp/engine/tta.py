"""Views of an image that are averaged, and several networks as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class View:
    """A mirrored or turned way to look at an image, which can be undone on the output.

    Attributes
    ----------
    mirrored : tuple of int
        Axes to mirror, counted from the end: -1 is x, -2 is y.
    negated : tuple of int
        Output channels that point along a mirrored axis and so change their sign.
    transposed : bool
        Whether the last two axes change places, after mirroring.
    exchanged : tuple of int
        The two output channels that point along them and so change places, too.
    """

    mirrored: tuple[int, ...] = ()
    negated: tuple[int, ...] = ()
    transposed: bool = False
    exchanged: tuple[int, ...] = ()

    def apply(self, window: torch.Tensor) -> torch.Tensor:
        r"""Look at an input (C, \\*spatial)."""
        seen = window.flip(self.mirrored) if self.mirrored else window
        return seen.transpose(-1, -2) if self.transposed else seen

    def undo(self, output: torch.Tensor) -> torch.Tensor:
        r"""Bring an output (C, \\*spatial) back to the image as it is."""
        if self.transposed:
            output = output.transpose(-1, -2)
        if self.exchanged:
            order = list(range(len(output)))
            first, second = self.exchanged
            order[first], order[second] = second, first
            output = output[order]
        if self.mirrored:
            output = output.flip(self.mirrored)  # a copy, so the signs may change in place
        for channel in self.negated:
            output[channel].neg_()
        return output

    def without_directions(self) -> View:
        """Return the same view of outputs none of which points anywhere, like probabilities."""
        return replace(self, negated=(), exchanged=())

    def source_axis(self, axis: int, dims: int) -> int:
        """Axis of the image that an axis of the view shows; both count from 0."""
        return 2 * dims - 3 - axis if self.transposed and axis >= dims - 2 else axis


IDENTITY = View()

#: MEDIAR's three views of an output [flow_y, flow_x, cell logit].
MEDIAR_VIEWS = (IDENTITY, View(mirrored=(-1,), negated=(1,)), View(mirrored=(-2,), negated=(0,)))

#: All eight ways to turn and mirror a plane, for the same output; MEDIAR's come first.
EIGHT_VIEWS = (
    *MEDIAR_VIEWS,
    View(mirrored=(-1, -2), negated=(0, 1)),
    View(transposed=True, exchanged=(0, 1)),
    View((-1,), (1,), transposed=True, exchanged=(0, 1)),
    View((-2,), (0,), transposed=True, exchanged=(0, 1)),
    View((-1, -2), (0, 1), transposed=True, exchanged=(0, 1)),
)


def average_networks(
    networks: Sequence[Callable[[torch.Tensor], torch.Tensor]],
    dtype: torch.dtype = torch.float32,
) -> Callable[[torch.Tensor], torch.Tensor]:
    r"""Join networks into a callable that returns the mean of their outputs for a batch.

    Parameters
    ----------
    networks : sequence of callable
        Each maps (N, C, \\*window) to (N, C_out, \\*window), all with the same C_out.
    dtype : torch.dtype
        What the networks compute in. They get their input once in that type, channels last.

    Returns
    -------
    callable
        Maps float32 to float32; to be used wherever one network is.

    Raises
    ------
    ValueError
        If there is no network.
    """
    members = tuple(networks)
    if not members:
        raise ValueError("No network was given; an ensemble needs at least one.")

    def mean(windows: torch.Tensor) -> torch.Tensor:
        layout = torch.channels_last if windows.ndim == 4 else torch.channels_last_3d
        windows = windows.to(dtype, memory_format=layout)
        # One at a time, so that only two outputs are held at once; sums of bfloat16 would round.
        total = members[0](windows).float()
        for network in members[1:]:
            total = total + network(windows)
        return total / len(members) if len(members) > 1 else total

    return mean
