"""The Zarr of labels that workers fill, plane by plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.engine.tiling import Tile


def read_labels(path: Path, level: int, plane: int, box: Tile) -> NDArray[Any]:
    """Read a box of a level of the Zarr that is written."""
    array, index = open_plane(path, level, plane, "r")
    return np.asarray(array[(*index, *box)])


def open_plane(path: Path, level: int, plane: int, mode: Any) -> tuple[Any, tuple[int, ...]]:
    """Array of a level, and the place of a plane on its axes before y and x."""
    import zarr  # takes half a second

    array: Any = zarr.open_group(path, mode=mode)[str(level)]
    return array, tuple(int(n) for n in np.unravel_index(plane, array.shape[:-2]))
