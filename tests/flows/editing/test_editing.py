"""Objects added, split, joined, removed, grown and shrunk by synthetic flows of known labels."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from napari_ssp.flows import labels_to_flows
from napari_ssp.flows.editing.apply import make_edit
from napari_ssp.flows.editing.edit import Gesture, Outputs, Tool

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 96
#: Middle and radius of cells; the first two touch, the third lies alone, the fourth at the edge.
DISCS = ((30, 28, 14), (30, 53, 12), (70, 30, 10), (80, 90, 13))


def _truth() -> NDArray[np.uint32]:
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((SIDE, SIDE), np.uint32)
    for number, (row, column, radius) in enumerate(DISCS, 1):
        labels[((y - row) ** 2 + (x - column) ** 2 <= radius**2) & (labels == 0)] = number
    return labels


def _outputs(labels: NDArray[Any], height: float = 1.0) -> Outputs:
    """Flows as a network gives them, with noise, and a probability that fades at the border."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    flows = 5 * labels_to_flows(labels)
    flows += rng.standard_normal(flows.shape, np.float32) * np.float32(0.3)
    return Outputs(flows, np.float32(height) * ndimage.gaussian_filter((labels > 0) * 1.0, 1))


TRUTH = _truth()
OUTPUTS = _outputs(TRUTH)


def _edited(labels: NDArray[Any], tool: Tool, *points: tuple[int, int], **more: Any) -> Any:
    edit = make_edit(Gesture(tool, points), labels, more.get("outputs", OUTPUTS))
    edited = labels.copy()
    edit.apply(edited)
    changed = np.zeros(labels.shape, bool)
    changed[edit.places] = True
    np.testing.assert_array_equal(changed, edited != labels)
    return edited, edit.objects


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("height", [1.0, 0.3], ids=["sure", "below the threshold"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_click_adds_the_missed_cell(number: int, height: float) -> None:
    row, column, _ = DISCS[number - 1]
    missed = np.where(TRUTH == number, 0, TRUTH)
    outputs = _outputs(TRUTH, height)
    edited, objects = _edited(missed, Tool.ADD, (row + 3, min(column - 4, 95)), outputs=outputs)
    assert objects == (missed.max() + 1,)
    assert _iou(edited == objects[0], TRUTH == number) >= 0.95
    np.testing.assert_array_equal(edited[missed > 0], missed[missed > 0])


def test_a_large_cell_is_tracked_as_far_as_it_reaches() -> None:
    y, x = np.mgrid[:360, :360] - 180
    truth = (y**2 + x**2 <= 150**2).astype(np.uint32)
    outputs = _outputs(truth)
    edited, objects = _edited(np.zeros_like(truth), Tool.ADD, (180, 90), outputs=outputs)
    assert _iou(edited == objects[0], truth > 0) >= 0.95


def test_what_cannot_be_added_is_said() -> None:
    with pytest.raises(ValueError, match="object 3 already"):
        _edited(TRUTH, Tool.ADD, (70, 30))
    with pytest.raises(ValueError, match="sees no cell here"):
        _edited(TRUTH, Tool.ADD, (5, 90))
    with pytest.raises(ValueError, match="have no flows"):
        _edited(TRUTH, Tool.ADD, (5, 90), outputs=None)
    full = np.where(TRUTH == 3, 0, TRUTH).astype(np.uint8)
    full[TRUTH == 4] = 255
    with pytest.raises(ValueError, match="uint8, which ends at 255"):
        _edited(full, Tool.ADD, (70, 30))


def test_a_line_splits_along_the_flows() -> None:
    merged = np.where(TRUTH == 2, 1, TRUTH)
    oblique = ((12, 45), (48, 40))  # the border is upright, at 41
    edited, objects = _edited(merged, Tool.SPLIT, *oblique)
    assert objects == (1, 5)
    for number, true in ((1, 1), (5, 2)):
        assert _iou(edited == number, TRUTH == true) >= 0.9


@pytest.mark.parametrize("outputs", [OUTPUTS, None], ids=["one cell", "no flows"])
def test_where_the_flows_see_one_cell_it_is_cut_along_the_line(outputs: Outputs | None) -> None:
    edited, objects = _edited(TRUTH, Tool.SPLIT, (66, 27), (74, 27), outputs=outputs)
    assert objects == (3, 5), "a line that stops inside is prolonged"
    columns = np.nonzero(TRUTH == 3)[1]
    np.testing.assert_array_equal((edited == 5)[TRUTH == 3], columns <= 27)


def test_parts_that_the_line_does_not_meet_stay_as_they_are() -> None:
    apart = np.where(TRUTH == 4, 3, TRUTH)
    edited, objects = _edited(apart, Tool.SPLIT, (55, 30), (85, 30))
    assert objects == (3, 4)
    np.testing.assert_array_equal(edited[TRUTH == 4], 3)


def test_lines_that_split_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="meets no object"):
        _edited(TRUTH, Tool.SPLIT, (2, 60), (2, 90))
    with pytest.raises(ValueError, match="does not part"):
        _edited(TRUTH, Tool.SPLIT, (70, 30))


def test_a_stroke_joins_and_bridges_what_is_between() -> None:
    from scipy import ndimage

    edited, objects = _edited(TRUTH, Tool.JOIN, (35, 50), (30, 30), (70, 30))
    assert objects == (1,), "the largest keeps its number"
    assert set(np.unique(edited)) == {0, 1, 4}
    assert ndimage.label(edited == 1)[1] == 1
    assert 0 < (edited == 1).sum() - np.isin(TRUTH, (1, 2, 3)).sum() < 100
    with pytest.raises(ValueError, match="fewer than two"):
        _edited(TRUTH, Tool.JOIN, (70, 30), (70, 33))


def test_objects_are_removed() -> None:
    edited, objects = _edited(TRUTH, Tool.REMOVE, (30, 28), (30, 53))
    assert objects == (1, 2)
    np.testing.assert_array_equal(edited, np.where(TRUTH > 2, TRUTH, 0))
    with pytest.raises(ValueError, match="no object to remove"):
        _edited(TRUTH, Tool.REMOVE, (5, 90))


def test_growing_stops_at_neighbours_and_shrinking_takes_it_back() -> None:
    grown, _ = _edited(TRUTH, Tool.GROW, (30, 28))
    assert (grown == 1).sum() > (TRUTH == 1).sum()
    np.testing.assert_array_equal(grown[TRUTH > 0], TRUTH[TRUTH > 0])
    alone, _ = _edited(TRUTH, Tool.GROW, (70, 30))
    back, _ = _edited(alone, Tool.SHRINK, (70, 30))
    np.testing.assert_array_equal(back, TRUTH)
    shrunk, _ = _edited(TRUTH, Tool.SHRINK, (80, 90))
    assert (shrunk[:, -1] == 4).any(), "the image's edge is no border of an object"
    speck = np.zeros((5, 5), np.uint8)
    speck[2, 2] = 1
    with pytest.raises(ValueError, match="Nothing would be left"):
        _edited(speck, Tool.SHRINK, (2, 2))
    with pytest.raises(ValueError, match="no background around"):
        _edited(np.ones((5, 5), np.uint8), Tool.GROW, (2, 2))


_POINTS = st.lists(st.tuples(*[st.integers(0, SIDE - 1)] * 2), min_size=1, max_size=4)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(Tool), _POINTS, st.integers(1, 4)), max_size=6),
    st.sets(st.integers(1, 4)),
)
def test_others_keep_their_pixels_and_numbers_are_used_once(
    gestures: list[tuple[Tool, list[tuple[int, int]], int]], missed: set[int]
) -> None:
    """Whatever is drawn: only objects that the gesture touches change, or background."""
    states = [np.where(np.isin(TRUTH, list(missed)), 0, TRUTH).astype(np.int32)]
    states[0][0, :] = -1  # not annotated
    for tool, points, pixels in gestures:
        try:
            edit = make_edit(Gesture(tool, tuple(points), pixels), states[-1], OUTPUTS)
        except ValueError:
            continue
        states.append(states[-1].copy())
        edit.apply(states[-1])
        before, after = states[-2:]
        own = {*edit.objects, *np.unique(before[edit.places]).tolist()} - {0}
        others = ~np.isin(before, list(own)) & (before != 0)
        np.testing.assert_array_equal(after[others], before[others])
        new = set(np.unique(after)) - set(np.unique(before))
        assert new <= set(edit.objects)
        if tool in (Tool.ADD, Tool.GROW):
            assert (before[edit.places] == 0).all()
    for before, after in pairwise(states):
        assert (before == -1).sum() == (after == -1).sum()


def test_edit_fits_only_the_plane_that_it_was_made_for() -> None:
    labels = np.where(TRUTH == 3, 0, TRUTH)
    edit = make_edit(Gesture(Tool.ADD, ((70, 30),)), labels, OUTPUTS)
    assert edit.fits(labels)
    drawn = labels.copy()
    drawn[70, 32] = 9
    assert not edit.fits(drawn), "a stroke where the object would be"
    drawn = labels.copy()
    drawn[5, 80] = edit.objects[0]
    assert not edit.fits(drawn), "a stroke of the same number elsewhere"
    drawn[5, 80] = 9
    assert edit.fits(drawn)


def test_removing_a_rectangle_without_background_in_its_box_fits() -> None:
    labels = np.zeros((20, 20), np.uint32)
    labels[4:9, 5:12] = 3
    edit = make_edit(Gesture(Tool.REMOVE, ((6, 7),)), labels, None)
    assert edit.fits(labels), "background is no new number"
