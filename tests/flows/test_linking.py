"""Ids that continue from plane to plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_ssp.flows import link_labels
from napari_ssp.flows.linking import Overlaps


def squares(*places: tuple[int, int, int], shape: tuple[int, int] = (40, 60)) -> Any:
    """Labels with a square of side s at (y, x) for each (y, x, s), numbered from 1."""
    labels = np.zeros(shape, np.uint16)
    for number, (y, x, side) in enumerate(places, 1):
        labels[y : y + side, x : x + side] = number
    return labels


def ids(plane: Any, *points: tuple[int, int]) -> list[int]:
    return [int(plane[point]) for point in points]


def test_a_moving_object_keeps_its_id_whatever_its_number_was() -> None:
    first = squares((5, 5, 10), (20, 40, 10))
    second = squares((21, 41, 10), (6, 6, 10))  # numbered the other way round
    linked = link_labels([first, second])
    assert linked.dtype == np.uint32
    np.testing.assert_array_equal(linked[0], first)
    assert ids(linked[1], (10, 10), (25, 45)) == [1, 2]


def test_a_new_object_gets_a_number_of_its_own_and_none_is_used_again() -> None:
    planes = [squares((5, 5, 10)), squares((25, 30, 8)), squares((5, 5, 10), (25, 30, 8))]
    linked = link_labels(planes)
    assert [sorted(set(np.unique(p)) - {0}) for p in linked] == [[1], [2], [2, 3]]


def test_the_larger_overlap_wins_and_nobody_continues_twice() -> None:
    mother = squares((10, 10, 12))
    daughters = squares((10, 10, 12))
    daughters[:, 18:] = np.where(daughters[:, 18:] > 0, 2, 0)
    linked = link_labels([mother, daughters])
    assert ids(linked[1], (12, 12), (12, 20)) == [1, 2]


def test_the_smallest_overlap_decides() -> None:
    frames = [squares((0, 0, 10)), squares((0, 5, 10))]  # a third of the union in common
    assert link_labels(frames, 0.3)[1].max() == 1
    assert link_labels(frames, 0.4)[1].max() == 2


def test_volumes_of_time_points() -> None:
    volume = np.zeros((2, 4, 20, 20), int)
    volume[0, 1:3, 2:8, 2:8], volume[1, 1:4, 3:9, 2:8] = 7, 900
    volume[1, 0, 15:, 15:] = 4
    linked = link_labels(list(volume))
    assert linked.shape == volume.shape
    assert (linked[1, 1:4, 3:9, 2:8] == 1).all()
    assert (linked[1, 0, 15:, 15:] == 2).all()


def test_empty_planes_between_end_an_object() -> None:
    plane = squares((5, 5, 10))
    linked = link_labels([plane, np.zeros_like(plane), plane])
    assert linked[2].max() == 2
    assert link_labels([]).shape == (0, 0, 0)
    assert link_labels([np.zeros((0, 9), int)] * 2).shape == (2, 0, 9)


@pytest.mark.parametrize(
    ("frames", "overlap", "error", "words"),
    [
        ([np.zeros((4, 4), int), np.zeros((4, 5), int)], 0.5, ValueError, "one shape"),
        ([np.zeros((4, 4), int)], 0.0, ValueError, "above 0"),
        ([np.full((4, 4), 0.5)], 0.5, TypeError, "integers|whole"),
        ([np.full((4, 4), -1)], 0.5, ValueError, "negative"),
    ],
)
def test_what_cannot_be_linked(
    frames: Any, overlap: float, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        link_labels(frames, overlap)


def test_a_mother_and_her_daughters() -> None:
    mother = squares((10, 10, 12), (30, 40, 6))
    daughters = squares((10, 10, 12), (31, 41, 6))
    daughters[:, 16:22][daughters[:, 16:22] == 1] = 3
    overlaps = Overlaps()
    overlaps.add(mother.astype(np.uint32), daughters.astype(np.uint32))
    assert overlaps.divisions(0.9) == [(1, 1, 3)]  # together they are the mother


def test_a_daughter_lies_mostly_on_its_mother() -> None:
    mother = squares((10, 10, 12))
    away = squares((10, 10, 8), (18, 18, 8))  # a quarter of it lies on the mother
    overlaps = Overlaps()
    overlaps.add(mother.astype(np.uint32), away.astype(np.uint32))
    assert overlaps.divisions(0.01) == []
