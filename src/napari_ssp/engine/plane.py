"""Prediction of planes that need not fit into memory, at the network's magnification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from scipy import sparse

from napari_ssp.engine.predict import predict_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_ssp.engine.predict import TileSettings
    from napari_ssp.engine.tiling import Tile
    from napari_ssp.engine.windows import Network
    from napari_ssp.progress import Steps

#: Reads a box of a plane, float32 (C, Y, X), given one slice per axis.
Read = Callable[["Tile"], "NDArray[np.float32]"]

#: Side of the boxes in which stored planes are worked on.
BOX = 1024


class PlaneStore(Protocol):
    """Room for an output (C, Y, X), read and written box by box."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    def read(self, tile: Tile) -> NDArray[np.float32]:
        """Copy of a box."""

    def write(self, tile: Tile, block: NDArray[np.float32]) -> None:
        """Put a box at its place."""

    def add(self, tile: Tile, block: NDArray[np.float32]) -> None:
        """Add a box to what is at its place."""


@dataclass(frozen=True)
class PlaneSource:
    """A plane that is read box by box.

    Attributes
    ----------
    read_box : callable
        Reads a box of the plane at the network's magnification.
    shape : tuple of int
        Lengths of the plane at that magnification.
    """

    read_box: Read
    shape: tuple[int, ...]

    def read(self, tile: Tile) -> torch.Tensor:
        """Float32 (C, Y, X) of a box."""
        return torch.from_numpy(np.ascontiguousarray(self.read_box(tile), np.float32))


def predict_plane(
    network: Network, source: PlaneSource, settings: TileSettings, store: PlaneStore
) -> Steps[None]:
    """Compute a network's output for a plane, as `predict_tiles` does, from box to box.

    Windows lie where they lie in the whole plane, so nothing shows where blocks meet. Memory holds
    a band of a window's height and four windows' width.

    Parameters
    ----------
    network : callable
        Maps a float32 tensor (N, C, Y, X) to a tensor (N, C_out, Y, X).
    source : PlaneSource
        Input.
    settings : TileSettings
        Window, overlap, batch, device, blending and views.
    store : PlaneStore
        (C_out, Y, X) at the network's magnification; receives the mean over the views.

    Yields
    ------
    Progress
        Stage "windows", counted over all views.

    Raises
    ------
    RuntimeError, MemoryError
        As `predict_stream`.
    """

    def write(tile: Tile, block: torch.Tensor, is_more: bool) -> None:
        (store.add if is_more else store.write)((slice(None), *tile), block.cpu().numpy())

    yield from predict_stream(network, source, settings, write)


def predict_box(
    network: Network, source: PlaneSource, settings: TileSettings, box: Tile
) -> Steps[NDArray[np.float32]]:
    """Compute a box of what `predict_plane` computes, with the same values.

    Parameters
    ----------
    network, source, settings
        As for `predict_plane`; the source is read as far as windows that touch the box reach.
    box : tuple of slice
        Part of the plane at the network's magnification.

    Yields
    ------
    Progress
        As `predict_plane`.

    Returns
    -------
    numpy.ndarray
        Float32 (C_out, Y, X).

    Raises
    ------
    RuntimeError, MemoryError
        As `predict_stream`.
    """
    found: NDArray[np.float32] | None = None

    def write(tile: Tile, block: torch.Tensor, is_more: bool) -> None:
        nonlocal found
        if found is None:
            found = np.zeros((len(block), *(part.stop - part.start for part in box)), np.float32)
        spot = found[(slice(None), *_shift(tile, box))]
        spot[...] = block.cpu().numpy() + spot if is_more else block.cpu().numpy()

    yield from predict_stream(network, source, settings, write, box)
    assert found is not None
    return found


def _shift(tile: Tile, box: Tile) -> Tile:
    """Place of a tile within a box."""
    return tuple(
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(tile, box, strict=True)
    )


def boxes(shape: tuple[int, ...], side: int = BOX) -> Iterator[Tile]:
    """Boxes that cover a plane, row by row."""
    ranges = [[slice(a, min(a + side, n)) for a in range(0, n, side)] for n in shape]
    yield from product(*ranges)


def resample_box(
    read: Read, shape: tuple[int, ...], new_shape: tuple[int, ...], box: Tile
) -> NDArray[np.float32]:
    """Compute a box of a plane as `resample` brings it to another size.

    Parameters
    ----------
    read : callable
        Reads a box of the plane.
    shape, new_shape : tuple of int
        Lengths of the plane before and after.
    box : tuple of slice
        Box of the new plane.

    Returns
    -------
    numpy.ndarray
        Float32 (C, Y, X).
    """
    if tuple(shape) == tuple(new_shape):
        return np.ascontiguousarray(read(box), np.float32)
    (rows, down), (columns, across) = (
        _weights(n, m, part) for n, m, part in zip(shape, new_shape, box, strict=True)
    )
    # Few pixels count for each new one, so most of a full matrix would be zeros.
    planes = (np.asarray(across @ (down @ plane).T).T for plane in read((rows, columns)))
    return np.stack([np.ascontiguousarray(plane, np.float32) for plane in planes])


def _weights(length: int, new_length: int, part: slice) -> tuple[slice, Any]:
    """Pixels that a range of new pixels is made of, and their weights: a triangle around each."""
    scale = length / new_length
    reach = max(scale, 1.0)
    centres = (np.arange(part.start, part.stop) + 0.5) * scale
    first = max(int(np.floor(centres[0] - reach)), 0)
    last = min(int(np.ceil(centres[-1] + reach)), length)
    distances = np.abs(np.arange(first, last) + 0.5 - centres[:, None])
    weights = np.maximum(1.0 - distances / reach, 0.0)
    return slice(first, last), sparse.csr_array(weights / weights.sum(axis=1, keepdims=True))
