"""Where each view has its windows, and how much each counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from napari_ssp.engine import EIGHT_VIEWS, View, floored_gaussian_window, gaussian_window
from napari_ssp.engine.layout import BlendWeights, Layout, iterate_windows

lengths = st.integers(1, 40)


@settings(deadline=None, max_examples=50)
@given(lengths, lengths, st.integers(1, 12), st.integers(1, 12), st.floats(0, 0.9))
def test_shares_of_all_windows_add_up_to_one(
    height: int, width: int, tall: int, wide: int, overlap: float
) -> None:
    layouts = [Layout((height, width), (tall, wide), overlap, view) for view in EIGHT_VIEWS]
    everywhere = (slice(-12, height), slice(-12, width))
    shares = BlendWeights(layouts, floored_gaussian_window((tall, wide)), torch.device("cpu"))
    total, count = np.zeros((height, width)), 0
    for look in iterate_windows(layouts, everywhere, 0):
        count += 1
        share = look.view.undo(shares.of(look)[None].expand(2, -1, -1)).abs()[0].numpy()
        inside = [
            (max(p.start, 0), min(p.stop, n), p.start)
            for p, n in zip(look.place, total.shape, strict=True)
        ]
        there = tuple(slice(a - first, b - first) for a, b, first in inside)
        total[tuple(slice(a, b) for a, b, _ in inside)] += share[there]
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert count == sum(layout.count(everywhere) for layout in layouts)


def test_places_never_go_back_along_the_first_axis() -> None:
    layouts = [Layout((30, 100), (16, 24), 0.6, view) for view in EIGHT_VIEWS]
    looks = list(iterate_windows(layouts, (slice(0, 30), slice(0, 100)), 1))
    assert len(looks) == sum(layout.count((slice(0, 30), slice(0, 100))) for layout in layouts)
    starts = [look.place[1].start for look in looks]
    assert starts == sorted(starts)


def test_only_windows_that_begin_in_a_region() -> None:
    layout = Layout((40, 40), (16, 16), 0.5, View())
    looks = list(layout.looks((slice(0, 40), slice(0, 10)), 0))
    assert [look.place[1].start for look in looks[:2]] == [0, 8]
    assert layout.count((slice(0, 40), slice(0, 10))) == len(looks) == 8


@pytest.mark.parametrize(("mirrored", "first"), [((), -52), ((-1,), -53)])
def test_margins_are_half_on_each_side_of_the_view(mirrored: tuple[int, ...], first: int) -> None:
    layout = Layout((512, 407), (512, 512), 0.6, View(mirrored))
    (look,) = layout.looks((slice(0, 512), slice(-512, 407)), 0)
    assert look.place[1] == slice(first, first + 512)


def test_volumes_are_turned_in_their_planes() -> None:
    layout = Layout((20, 30, 50), (8, 16, 24), 0.5, View(transposed=True))
    looks = list(layout.looks(tuple(slice(0, n) for n in layout.shape), 2))
    shapes = {tuple(part.stop - part.start for part in look.place) for look in looks}
    assert shapes == {(8, 24, 16)}
    shares = BlendWeights([layout], gaussian_window(layout.window), torch.device("cpu"))
    assert shares.of(looks[0]).shape == layout.window
