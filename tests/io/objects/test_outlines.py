"""Outlines along pixel edges: filled again they give the same pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.io.objects.outlines import Outline, outline_planes, trace_outlines

if TYPE_CHECKING:
    from pathlib import Path

small_labels = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3)
)


def signed_area(ring: np.ndarray) -> float:
    y, x = ring.T.astype(float)
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def fill(ring: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre a ray from the left enters an odd number of times."""
    crossings = np.zeros((shape[0], shape[1] + 1), np.int64)
    for (y0, x0), (y1, x1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        assert (y0 == y1) != (x0 == x1), "every side is horizontal or vertical"
        crossings[min(y0, y1) : max(y0, y1), x0] += 1
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def drawn(outlines: list[Outline], shape: tuple[int, int]) -> np.ndarray:
    canvas = np.zeros(shape, np.int64)
    for outline in outlines:
        for shell, *holes in outline.polygons:
            inside = fill(shell, shape)
            for hole in holes:
                inside &= ~fill(hole, shape)
            assert not canvas[inside].any(), "no pixel is in two polygons"
            canvas[inside] = outline.label
    return canvas


@settings(deadline=None)
@given(small_labels)
def test_filled_again_they_are_the_labels(labels: np.ndarray) -> None:
    outlines = trace_outlines(labels)
    np.testing.assert_array_equal(drawn(outlines, labels.shape), labels)
    assert [o.label for o in outlines] == sorted(set(labels.ravel().tolist()) - {0})


@settings(deadline=None)
@given(small_labels)
def test_rings_are_simple_and_turn_at_every_point(labels: np.ndarray) -> None:
    for outline in trace_outlines(labels):
        area = 0.0
        for shell, *holes in outline.polygons:
            assert signed_area(shell) > 0
            assert all(signed_area(hole) < 0 for hole in holes)
            for ring in (shell, *holes):
                assert len({tuple(point) for point in ring.tolist()}) == len(ring) >= 4
                sides = np.diff(np.vstack([ring, ring[:1]]), axis=0)
                assert np.all((sides[:, 0] == 0) == (np.roll(sides, 1, axis=0)[:, 0] != 0))
                area += signed_area(ring)
        assert area == np.count_nonzero(labels == outline.label)


def test_one_pixel() -> None:
    (outline,) = trace_outlines(np.pad([[7]], ((2, 0), (3, 1))))
    assert outline.label == 7
    assert outline.polygons[0][0].tolist() == [[2, 3], [2, 4], [3, 4], [3, 3]]


def test_holes_and_islands_in_them() -> None:
    labels = np.zeros((7, 7), np.int32)
    labels[:] = 5
    labels[1:6, 1:6] = 0
    labels[3, 3] = 5
    labels[2, 2] = 9
    five, nine = trace_outlines(labels)
    (shell, hole), (island,) = five.polygons
    assert (signed_area(shell), signed_area(hole), signed_area(island)) == (49, -25, 1)
    assert len(nine.polygons) == 1


def test_parts_that_touch_in_a_corner_are_two_polygons() -> None:
    (outline,) = trace_outlines(np.eye(2, dtype=int))
    assert [len(polygon) for polygon in outline.polygons] == [1, 1]


def test_a_hole_that_touches_the_outside_in_a_corner_stays_a_hole() -> None:
    (outline,) = trace_outlines(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]]))
    ((shell, hole),) = outline.polygons
    assert (signed_area(shell), signed_area(hole)) == (8, -1)


def test_two_objects_around_one_corner() -> None:
    labels = np.array([[1, 2], [2, 1]])
    np.testing.assert_array_equal(drawn(trace_outlines(labels), (2, 2)), labels)


def test_ids_with_gaps_and_many_objects() -> None:
    labels = np.zeros((520, 600), np.int64)
    labels[::2, ::2] = np.arange(1, 78_001).reshape(260, 300) * 10**9
    outlines = trace_outlines(labels)
    assert len(outlines) == 78_000
    assert outlines[-1].label == 78_000 * 10**9
    np.testing.assert_array_equal(drawn(outlines[-300:], labels.shape)[518:], labels[518:])


def test_objects_across_the_blocks_of_rows() -> None:
    labels = np.zeros((1100, 9), np.uint16)
    labels[3:1099, 2:7] = 1
    labels[500:520, 3:6] = 0
    labels[510:514, 4] = 2
    np.testing.assert_array_equal(drawn(trace_outlines(labels), labels.shape), labels)


def test_real_labels(shared_data: Path) -> None:
    path = sorted((shared_data / "dsb2018" / "val" / "labels").glob("*.tiff"))[0]
    labels = tifffile.imread(path)
    np.testing.assert_array_equal(drawn(trace_outlines(labels), labels.shape), labels)


def test_nothing_and_everything() -> None:
    assert trace_outlines(np.zeros((4, 5), np.uint8)) == []
    assert trace_outlines(np.zeros((0, 5), np.uint8)) == []
    (outline,) = trace_outlines(np.ones((4, 5), np.uint8))
    assert outline.polygons[0][0].tolist() == [[0, 0], [0, 5], [4, 5], [4, 0]]


def test_bad_input_is_explained() -> None:
    with pytest.raises(TypeError, match="float64"):
        trace_outlines(np.full((3, 3), 0.5))
    with pytest.raises(ValueError, match=r"\(3, 3, 3\)"):
        trace_outlines(np.zeros((3, 3, 3), int))
    with pytest.raises(ValueError, match="negative number -2"):
        trace_outlines(np.full((3, 3), -2))
    with pytest.raises(ValueError, match="2 channels"):
        list(outline_planes(np.zeros((2, 3, 3), int), "cyx"))


def test_planes_of_stacks_and_movies() -> None:
    labels = np.arange(2 * 3 * 4 * 3).reshape(2, 3, 4, 3)
    places = [place for place, _ in outline_planes(labels, "tzyx")]
    assert places[:4] == [{"t": 0, "z": 0}, {"t": 0, "z": 1}, {"t": 0, "z": 2}, {"t": 1, "z": 0}]
    # Three pixels wide, and yet no colours.
    places = [place for place, _ in outline_planes(labels[0], "zyx")]
    assert places == [{"z": 0}, {"z": 1}, {"z": 2}]
    ((place, outlines),) = outline_planes(labels[0, 0].astype("u1"), "yx")
    assert place == {}
    assert [outline.label for outline in outlines] == list(range(1, 12))
