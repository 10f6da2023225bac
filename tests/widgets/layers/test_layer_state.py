"""What changes of a layer are seen, and of which arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_ssp.widgets.layers.layer_state import LayerState

PIXELS = np.arange(12.0).reshape(3, 4)


class _Slotted:
    """Array of another library, to which there can be no weak reference."""

    __slots__ = ("_pixels",)
    shape, ndim, dtype, size = (3, 4), 2, PIXELS.dtype, 12

    def __init__(self) -> None:
        self._pixels = PIXELS

    def __getitem__(self, key: Any) -> Any:
        return self._pixels[key]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._pixels.astype(dtype or self.dtype)


@pytest.mark.parametrize("kind", [PIXELS.copy, _Slotted])
def test_another_array_is_seen(kind: Any) -> None:
    layer = Image(kind(), contrast_limits=(0, 12))
    state = LayerState(layer)
    assert state.is_same
    layer.data = kind()
    assert not state.is_same


def test_another_pixel_size_is_seen_and_another_place_is_not() -> None:
    layer = Image(PIXELS)
    state = LayerState(layer)
    layer.translate = (5, 5)
    assert state.is_same
    layer.scale = (2, 2)
    assert not state.is_same
