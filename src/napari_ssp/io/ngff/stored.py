"""The pixels of an OME-Zarr image by the name of its folder, for who reads them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from napari_ssp.io.ngff.lazy import find_folder, pick_channel
from napari_ssp.io.ngff.reading import read_zarr


@dataclass(frozen=True)
class StoredPixels:
    """Full level of an image or of one of its channels, opened when it is first looked at.

    Attributes
    ----------
    folder : str
        Of the image.
    shape : tuple of int
        Length of each axis.
    kind : str
        Data type, as numpy names it.
    channel : int or None
        Which channel of several; None are all of them.
    """

    folder: str
    shape: tuple[int, ...]
    kind: str
    channel: int | None = None

    @classmethod
    def of(cls, array: Any) -> StoredPixels | None:
        """Name the pixels of an array; None where it is not just what a folder holds."""
        found = find_folder(array)
        if found is None:
            return None
        folder, channel = found
        return cls(str(folder), array.shape, array.dtype.str, channel)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(self.kind)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        return self._array[key]

    @cached_property
    def _array(self) -> Any:
        image = read_zarr(Path(self.folder))[0].image
        if self.channel is None:
            return image.data
        return pick_channel(image.data, image.axes, self.channel)
