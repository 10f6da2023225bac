"""Planes of one size side by side in a window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from napari_ssp.engine import TileSettings, predict_tiles
from napari_ssp.engine.montage import GAP, Montage


@settings(deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 40))
def test_planes_lie_apart_within_what_they_fill(height: int, width: int, count: int) -> None:
    montage = Montage((height, width), (128, 96))
    count = min(count, montage.room)
    shape = montage.shape(count)
    taken = np.zeros((shape[0] + GAP, shape[1] + GAP), int)
    for rows, columns in montage.places(count):
        assert (rows.stop - rows.start, columns.stop - columns.start) == (height, width)
        taken[rows.start : rows.stop + GAP, columns.start : columns.stop + GAP] += 1
    assert taken.max() == 1
    assert taken.sum() == count * (height + GAP) * (width + GAP)
    assert shape[0] <= max(128, height)
    assert shape[1] <= max(96, width)


@pytest.mark.parametrize(
    ("plane", "planes", "windows"),
    [((16, 16), 4, 1), ((16, 16), 5, 2), ((64, 64), 3, 3), ((16, 100), 5, 6), ((100, 100), 2, 8)],
)
def test_windows_are_counted_as_they_are_computed(
    plane: tuple[int, int], planes: int, windows: int
) -> None:
    montage, tiles = Montage(plane, (64, 64)), TileSettings((64, 64), overlap=0.25)
    computed = 0
    for first in range(0, planes, montage.room):
        shape = montage.shape(min(montage.room, planes - first))
        pixels = np.random.default_rng(first).random((1, *shape))
        computed += list(predict_tiles(lambda x: x, pixels, tiles))[-1].done
    assert montage.count_windows(planes, 0.25) == computed == windows
