"""Sums of windows in strips: the whole, without a window more, in memory that does not grow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from napari_ssp.engine import EIGHT_VIEWS, TileSettings, count_tiles, predict_stream, strips
from napari_ssp.engine.accumulate import RollingSum
from napari_ssp.engine.layout import Layout, iterate_windows
from napari_ssp.progress import run

WINDOW = (4, 16, 16)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_strips_add_up_to_the_sum_of_all_windows(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 14), st.integers(1, 40), st.integers(1, 40)))
    window = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)))
    overlap, axis = data.draw(st.floats(0, 0.8)), data.draw(st.integers(0, 2))
    views = data.draw(st.sampled_from([EIGHT_VIEWS[:1], EIGHT_VIEWS[:4], EIGHT_VIEWS[3:6]]))
    layouts = [Layout(shape, window, overlap, view) for view in views]
    rng, seen = np.random.default_rng(0), 0
    expected, found = np.zeros(shape), np.full(shape, np.nan)

    def write(tile: tuple[slice, ...], block: torch.Tensor, is_more: bool) -> None:
        found[tile] = block[0].numpy() + (found[tile] if is_more else 0)

    for strip in strips.strips(layouts, axis):
        total = RollingSum(strip, axis, write, torch.device("cpu"))
        for look in iterate_windows(layouts, strip.begins, axis):
            lengths = [part.stop - part.start for part in look.place]
            # Small whole numbers: sums of them are exact in any order.
            values = rng.integers(0, 99, lengths).astype(np.float32)
            total.add(look.place, torch.from_numpy(values)[None])
            ends = [
                (max(p.start, 0), min(p.stop, n)) for p, n in zip(look.place, shape, strict=True)
            ]
            inside = [
                slice(a - p.start, b - p.start) for (a, b), p in zip(ends, look.place, strict=True)
            ]
            expected[tuple(slice(*pair) for pair in ends)] += values[tuple(inside)]
            seen += 1
        total.finish(shape[axis])
    np.testing.assert_array_equal(found, expected)
    assert seen == len(views) * count_tiles(shape, window, overlap) or views != EIGHT_VIEWS[:1]


class Nothing:
    """A volume of any size that takes no memory."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def read(self, tile: tuple[slice, ...]) -> torch.Tensor:
        return torch.zeros(1, *(part.stop - part.start for part in tile))


class LargestTensor(TorchDispatchMode):
    """Keeps the number of values of the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else [result]:
            if isinstance(part, torch.Tensor):
                self.values = max(self.values, part.numel())
        return result


def _largest(shape: tuple[int, ...], overlap: float) -> tuple[int, int]:
    """Values of the largest tensor, and of the largest block that is handed on."""
    blocks: list[int] = []

    def write(tile: tuple[slice, ...], block: torch.Tensor, is_more: bool) -> None:
        blocks.append(block.numel())

    with LargestTensor() as largest:
        plan = TileSettings(WINDOW, overlap, 1)
        run(predict_stream(lambda x: x.repeat(1, 2, 1, 1, 1), Nothing(shape), plan, write))
    return largest.values, max(blocks)


@pytest.mark.parametrize("overlap", [0.0, 0.5])
@pytest.mark.parametrize("shape", [(4, 64, 256), (12, 64, 64), (12, 256, 256), (200, 64, 64)])
def test_sums_do_not_grow_with_the_volume(shape: tuple[int, ...], overlap: float) -> None:
    expected = _largest((4, 64, 64), overlap)
    assert expected[0] >= 2 * 4 * 16 * 64
    found = _largest(shape, overlap)
    assert all(a <= b for a, b in zip(found, expected, strict=True))


def test_no_window_is_computed_twice_however_wide_the_volume() -> None:
    steps = list(
        predict_stream(lambda x: x, Nothing((20, 300, 200)), TileSettings(WINDOW), lambda *_: None)
    )
    assert {step.total for step in steps} == {count_tiles((20, 300, 200), WINDOW, 0.5)}
    assert [step.done for step in steps] == list(range(steps[-1].total + 1))
