"""Where windows lie: the originals' places, and properties of every tiling."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st

from napari_ssp.engine import count_tiles, tile_starts
from napari_ssp.engine.tiling import grow_window, pieces, smaller_window

if TYPE_CHECKING:
    from pathlib import Path

lengths = st.integers(1, 400)
overlaps = st.floats(0, 0.99)


def test_mediars_windows(reference: Path) -> None:
    facts = json.loads((reference / "mediar_shared.json").read_text())
    for length, starts in facts["windows_roi512_overlap06"].items():
        assert tile_starts(int(length), 512, 0.6) == starts


def test_repmodes_patches(reference: Path) -> None:
    facts = json.loads((reference / "repmode_predict_shared.json").read_text())
    for case in [*facts["cases"], facts["default_patch"]]:
        axes = zip(case["shape"], case["patch"], case["starts"], strict=True)
        for length, patch, starts in axes:
            assert tile_starts(length, patch, 0.5) == starts


@given(st.integers(1, 4000), st.sampled_from([0.0, 0.25, 0.6]))
def test_a_window_that_may_grow_computes_no_more(length: int, overlap: float) -> None:
    (window,) = grow_window((length,), (512,), (1408,), overlap)
    assert 512 <= window <= 1408
    assert window % 32 == 0
    costs = [len(tile_starts(length, other, overlap)) * other for other in range(512, 1409, 32)]
    assert len(tile_starts(length, window, overlap)) * window == min(costs)
    if length <= 1408:
        assert tile_starts(length, window, overlap) == [0]


@given(lengths, lengths, overlaps)
def test_windows_cover_the_axis_and_end_with_it(length: int, window: int, overlap: float) -> None:
    starts = tile_starts(length, window, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(length - window, 0)
    steps = np.diff(starts)
    assert np.all(steps > 0)
    assert np.all(steps <= max(int(window * (1 - overlap)), 1))


def test_windows_are_counted_with_margins() -> None:
    assert count_tiles((3, 4), (2, 2), 0) == 4
    assert count_tiles((1, 40), (16, 16), 0.5) == 4


def test_windows_shrink_by_halves_down_to_64() -> None:
    window: tuple[int, ...] | None = (32, 512, 400)
    seen = []
    while window := smaller_window(window):
        seen.append(window)
    assert seen == [(32, 256, 192), (32, 128, 96), (32, 64, 96)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 5, 0.5), "axis is 0"),
        ((5, 0, 0.5), "window 0"),
        ((5, 5, 1.0), "overlap is 1.0"),
        ((5, 5, -0.1), "overlap is -0.1"),
        ((5, 5, float("nan")), "overlap is nan"),
    ],
)
def test_bad_numbers(arguments: tuple[int, int, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tile_starts(*arguments)


@given(st.data())
def test_pieces_cover_a_part_and_span_little(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    most = data.draw(st.integers(1, 99))
    index: list[slice | int] = []
    for length in shape[: data.draw(st.integers(0, len(shape)))]:
        start = data.draw(st.integers(0, length - 1))
        stop = data.draw(st.integers(start + 1, length))
        index.append(data.draw(st.sampled_from([start, slice(start, stop), slice(None)])))
    array = np.arange(np.prod(shape)).reshape(shape)
    expected = array[tuple(index)]
    found = np.full(expected.shape, -1)
    for piece, inside in pieces(tuple(index), shape, most):
        part = np.asarray(array[piece])
        assert part.max() - part.min() < most
        found[inside] = part
    np.testing.assert_array_equal(found, expected)
