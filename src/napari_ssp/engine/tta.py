"""Average a prediction over mirrored views of the image, and over several networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.engine.predict import Network, TileSettings, predict_tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from napari_ssp.progress import Progress, Steps


@dataclass(frozen=True)
class View:
    """A mirrored way to look at an image, which can be undone on the output.

    Attributes
    ----------
    mirrored : tuple of int
        Axes to mirror, counted from the end: -1 is x, -2 is y.
    negated : tuple of int
        Output channels that point along a mirrored axis and so change their sign.
    """

    mirrored: tuple[int, ...] = ()
    negated: tuple[int, ...] = ()

    def apply(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Mirror an input."""
        # A copy: torch takes no negative strides, which axes of length 1 keep otherwise.
        return np.flip(array, self.mirrored).copy() if self.mirrored else array

    def undo(self, output: npt.NDArray[Any]) -> npt.NDArray[Any]:
        r"""Bring an output (C, \\*spatial) back to the unmirrored image."""
        restored = np.flip(output, self.mirrored).copy()
        restored[list(self.negated)] *= -1
        return restored


IDENTITY = View()

#: MEDIAR's three views of an output [flow_y, flow_x, cell logit].
MEDIAR_VIEWS = (IDENTITY, View(mirrored=(-1,), negated=(1,)), View(mirrored=(-2,), negated=(0,)))


def predict_views(
    network: Network,
    array: npt.NDArray[Any],
    settings: TileSettings,
    views: Sequence[View] = MEDIAR_VIEWS,
) -> Steps[npt.NDArray[np.float32]]:
    r"""Compute a network's output as the mean over several views of the whole array.

    The array is mirrored as a whole, as MEDIAR does, so padding and the last, flush windows fall on
    other pixels in each view.

    Parameters
    ----------
    network : callable
        Maps a float32 tensor (N, C, \\*window) to a tensor (N, C_out, \\*window).
    array : array, shape (C, \\*spatial)
        Input.
    settings : TileSettings
        Window, overlap, batch, device and blending.
    views : sequence of View
        What to average; one identity view is the plain prediction.

    Yields
    ------
    Progress
        Stage "windows", counted over all views.

    Returns
    -------
    numpy.ndarray
        float32, shape (C_out, \\*spatial).

    Raises
    ------
    ValueError
        If there is no view, the array is empty, or its axes do not fit the window.
    RuntimeError
        If the network returns another shape, or NaN or infinity.
    MemoryError
        If one window of the smallest size does not fit into the device's memory.
    """
    if not views:
        raise ValueError("No view was given; pass at least (View(),), the image as it is.")
    total: npt.NDArray[np.float32] | None = None
    for index, view in enumerate(views):
        steps = predict_tiles(network, view.apply(array), settings)
        output = view.undo((yield from _as_part(steps, index, len(views))))
        total = output if total is None else np.add(total, output, out=total)
    assert total is not None
    total /= len(views)
    return total


def average_networks(networks: Sequence[Network]) -> Network:
    r"""Join several networks into a callable that returns the mean of their outputs.

    Parameters
    ----------
    networks : sequence of callable
        Each maps (N, C, \\*window) to (N, C_out, \\*window), all with the same C_out.

    Returns
    -------
    callable
        To be used wherever one network is; one network is returned as it is.

    Raises
    ------
    ValueError
        If there is no network.
    """
    members = tuple(networks)
    if not members:
        raise ValueError("No network was given; an ensemble needs at least one.")
    if len(members) == 1:
        return members[0]

    def mean(windows: torch.Tensor) -> torch.Tensor:
        # One at a time, so that only two outputs are held at once.
        total = members[0](windows)
        for network in members[1:]:
            total = total + network(windows)
        return total / len(members)

    return mean


def _as_part(
    steps: Steps[npt.NDArray[np.float32]], index: int, parts: int
) -> Steps[npt.NDArray[np.float32]]:
    """Pass a part's progress on as progress of the whole."""
    while True:
        try:
            step: Progress = next(steps)
        except StopIteration as stop:
            result: npt.NDArray[np.float32] = stop.value
            return result
        yield replace(step, done=index * step.total + step.done, total=parts * step.total)
