"""Objects of stacks edited in one plane, or through all planes that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.flows import labels_to_flows
from napari_ssp.flows.editing.edit import Gesture, Outputs, Tool
from napari_ssp.flows.editing.stacks import edit_stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.flows.editing.edit import Edit

SHAPE = (12, 64, 96)
#: Middle (z, y, x) and radius of balls, half as high as wide; the first two touch.
BALLS = ((5, 30, 24, 14), (6, 30, 46, 12), (6, 30, 78, 10.5))
#: Planes that the last ball is in.
LAST = range(1, 12)


def _truth() -> NDArray[np.uint16]:
    z, y, x = np.ogrid[tuple(map(slice, SHAPE))]
    labels = np.zeros(SHAPE, np.uint16)
    for number, (plane, row, column, radius) in enumerate(BALLS, 1):
        square = (2 * (z - plane)) ** 2 + (y - row) ** 2 + (x - column) ** 2
        labels[(square <= radius**2) & (labels == 0)] = number
    return labels


TRUTH = _truth()
MISSED = np.where(TRUTH == 3, 0, TRUTH)
OUTPUTS = [Outputs(5 * labels_to_flows(plane), (plane > 0) * np.float32(0.9)) for plane in TRUTH]


def _edited(labels: NDArray[Any], k: int, tool: Tool, *points: tuple[int, int], **more: Any) -> Any:
    gesture = Gesture(tool, points, through=more.get("through", True))
    edit: Edit = edit_stack(gesture, labels, k, OUTPUTS.__getitem__, int(labels.max()) + 1)
    edited = labels.copy()
    assert edit.fits(edited)
    edit.apply(edited)
    changed = np.zeros(labels.shape, bool)
    changed[edit.places] = True
    np.testing.assert_array_equal(changed, edited != labels)
    return edited, edit.objects


def _planes(edited: NDArray[Any], number: int) -> list[int]:
    return np.unique(np.nonzero(edited == number)[0]).tolist()


def test_a_click_removes_the_whole_object_or_what_a_plane_has_of_it() -> None:
    removed, objects = _edited(TRUTH, 6, Tool.REMOVE, (30, 78))
    assert objects == (3,)
    np.testing.assert_array_equal(removed, MISSED)
    flat, _ = _edited(TRUTH, 6, Tool.REMOVE, (30, 78), through=False)
    assert _planes(flat, 3) == [k for k in LAST if k != 6]
    np.testing.assert_array_equal(flat[TRUTH != 3], TRUTH[TRUTH != 3])


def test_objects_of_one_number_that_are_apart_are_not_one() -> None:
    apart = TRUTH.copy()
    apart[6][apart[6] == 3] = 0
    removed, _ = _edited(apart, 8, Tool.REMOVE, (30, 78))
    assert _planes(removed, 3) == [k for k in LAST if k < 6]


def test_a_missed_object_is_added_in_all_planes_that_it_goes_on_in() -> None:
    added, objects = _edited(MISSED, 6, Tool.ADD, (32, 76))
    assert objects == (3,)
    np.testing.assert_array_equal(added[MISSED > 0], MISSED[MISSED > 0])
    assert _planes(added, 3) == [*LAST]
    assert ((added == 3) & (TRUTH == 3)).sum() >= 0.95 * ((added == 3) | (TRUTH == 3)).sum()
    flat, _ = _edited(MISSED, 6, Tool.ADD, (32, 76), through=False)
    assert _planes(flat, 3) == [6]


def test_what_is_added_in_a_gap_has_the_number_of_the_object_above_and_below() -> None:
    gap = TRUTH.copy()
    gap[6][gap[6] == 3] = 0
    for through in (True, False):
        added, objects = _edited(gap, 6, Tool.ADD, (30, 78), through=through)
        assert objects == (3,)
        np.testing.assert_array_equal(added, TRUTH)


def test_planes_whose_numbers_do_not_go_on_are_added_to_alone() -> None:
    planes = MISSED.astype(np.int32)
    for k, plane in enumerate(planes):
        plane[plane > 0] += 10 * k
    added, (number,) = _edited(planes, 6, Tool.ADD, (32, 76))
    assert _planes(added, number) == [6]


def test_a_line_parts_an_object_in_all_planes() -> None:
    merged = np.where(TRUTH == 2, 1, TRUTH)
    line = ((14, 35), (46, 35))
    parted, objects = _edited(merged, 5, Tool.SPLIT, *line)
    assert objects == (1, 4)
    for number, true in ((1, 1), (4, 2)):
        overlap = (parted == number) & (TRUTH == true)
        assert overlap.sum() >= 0.85 * ((parted == number) | (TRUTH == true)).sum()
        assert _planes(parted, number) == _planes(TRUTH, true)
    np.testing.assert_array_equal(parted[merged != 1], merged[merged != 1])


def test_planes_split_one_after_the_other_keep_the_numbers_of_the_parts() -> None:
    labels = np.where(TRUTH == 2, 1, TRUTH)
    for k, x in ((5, 35), (6, 35), (4, 35)):
        labels, objects = _edited(labels, k, Tool.SPLIT, (14, x), (46, x), through=False)
        assert set(objects) == {1, 4}
    assert _planes(labels, 4) == [4, 5, 6]


def test_two_objects_become_one_in_all_planes() -> None:
    line = ((30, 24), (30, 46))
    joined, objects = _edited(TRUTH, 5, Tool.JOIN, *line)
    assert objects == (1,)
    np.testing.assert_array_equal(joined[TRUTH > 0], np.where(TRUTH == 2, 1, TRUTH)[TRUTH > 0])
    bridge = np.argwhere((joined > 0) & (TRUTH == 0))
    assert set(bridge[:, 0]) <= {5}, "background is bridged where the line was drawn"
    flat, _ = _edited(TRUTH, 5, Tool.JOIN, *line, through=False)
    assert _planes(flat, 2) == [k for k in _planes(TRUTH, 2) if k != 5]


def test_an_object_that_was_broken_along_z_is_joined_by_a_click() -> None:
    broken = TRUTH.copy()
    broken[7:][broken[7:] == 3] = 4
    for k in (6, 8):
        joined, objects = _edited(broken, k, Tool.JOIN, (30, 78))
        assert objects == (int(broken[k, 30, 78]),)
        np.testing.assert_array_equal(joined == objects[0], TRUTH == 3)
    with pytest.raises(ValueError, match="no other one goes on above or below it"):
        _edited(TRUTH, 6, Tool.JOIN, (30, 78))


@pytest.mark.parametrize("tool", [Tool.GROW, Tool.SHRINK])
def test_objects_grow_and_shrink_in_their_plane(tool: Tool) -> None:
    reshaped, objects = _edited(TRUTH, 6, tool, (30, 78))
    assert objects == (3,)
    assert np.unique(np.nonzero(reshaped != TRUTH)[0]).tolist() == [6]


def test_an_edit_fits_where_the_number_that_goes_on_is_elsewhere_in_its_planes() -> None:
    gap = TRUTH.copy()
    gap[2:][gap[2:] == 3] = 0
    gap[8, 60, 60:64] = 3  # a speck of the same number, where the object is missed
    added, objects = _edited(gap, 6, Tool.ADD, (30, 78))
    assert objects == (4,), "it goes on neither above nor below"
    added, objects = _edited(gap, 2, Tool.ADD, (30, 78))
    assert objects == (3,)
    assert _planes(added, 3) == [*range(1, 9)], "up to the plane that has the number already"
