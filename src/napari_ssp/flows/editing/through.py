"""Edits of 3D objects: what is done in one plane goes on through the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.editing.adding import add_at, edge_of
from napari_ssp.flows.editing.edit import GOES_ON, Edit, object_box, touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from napari_ssp.flows.editing.edit import Box, Gesture, Outputs


def carry_through(edit: Edit, stack: NDArray[Any], k: int) -> Edit:
    """Let the other planes of its objects follow an edit of one plane.

    There each pixel of an object becomes what the nearest pixel of that object became.

    Parameters
    ----------
    edit : Edit
        Of plane ``k``.
    stack : numpy.ndarray
        Integers (Z, Y, X).
    k : int
        Which plane.

    Returns
    -------
    Edit
        Of the stack.
    """
    from scipy import ndimage  # takes a while to import

    changed = np.unique(edit.before[edit.before != edit.after])
    runs = {number: _run(stack, k, number) for number in changed[changed > 0].tolist()}
    box = _around(edit, k, [_box(stack, run, number) for number, run in runs.items()])
    here, *sides = (
        slice(own.start - side.start, own.stop - side.start)
        for own, side in zip((slice(k, k + 1), *edit.box), box, strict=True)
    )
    place = (here.start, *sides)
    before = np.array(stack[box])
    before[place] = edit.before
    after = before.copy()
    after[place] = edit.after
    for number, run in runs.items():
        nearest = ndimage.distance_transform_edt(
            before[here.start] != number, return_distances=False, return_indices=True
        )
        became = after[here.start][tuple(nearest)]
        for j in (each - box[0].start for each in run if each != k):
            is_object = before[j] == number
            after[j][is_object] = became[is_object]
    return replace(edit, box=box, before=before, after=after)


def join_along(gesture: Gesture, labels: NDArray[Any], stack: NDArray[Any], k: int) -> Edit | None:
    """Join the one object under a line with the one that goes on where it ends along z.

    Returns
    -------
    Edit or None
        Of the stack; None where the line touches no object, or several.

    Raises
    ------
    ValueError
        When no object goes on above or below it.
    """
    found = touched(labels, gesture.points)
    if len(found) != 1:
        return None
    (number,) = found
    run = _run(stack, k, number)
    ends = [(run[0], run[0] - 1), (run[-1], run[-1] + 1)]
    beyond = [
        (*_most_common(stack[j][stack[end] == number]), j) for end, j in ends if 0 <= j < len(stack)
    ]
    _, other, j = max(beyond, default=(0, 0, 0))
    if not other:
        raise ValueError(
            f"The line touches object {number} alone, and no other one goes on above or below it. "
            "Draw it from one object to the other."
        )
    plane = np.array(stack[j])
    box = object_box(plane, (other,))
    before = plane[box]
    after = np.where(before == other, np.array(number, plane.dtype), before)
    return carry_through(Edit(gesture, box, before, after, (number,)), stack, j)


def add_through(
    edit: Edit, stack: NDArray[Any], k: int, outputs_of: Callable[[int], Outputs | None]
) -> Edit:
    """Add the object of an edit in the planes above and below, too, as far as it goes on.

    Parameters
    ----------
    edit : Edit
        Adds an object to plane ``k``.
    stack : numpy.ndarray
        Integers (Z, Y, X).
    k : int
        Which plane.
    outputs_of : callable
        Gives what the network said of a plane; it did say something of plane ``k``.

    Returns
    -------
    Edit
        Of the stack.
    """
    planes, own = {k: edit}, outputs_of(k)
    assert own is not None
    least = edge_of(own.probability[edit.places], own.cell_threshold)
    for step in (-1, 1):
        j = k
        while 0 <= j + step < len(stack):
            following = _follow(planes[j], np.array(stack[j + step]), outputs_of(j + step), least)
            if following is None:
                break
            j += step
            planes[j] = following
    boxes = [(slice(j, j + 1), *each.box) for j, each in planes.items()]
    box = _around(edit, k, boxes)
    before = np.array(stack[box])
    after = before.copy()
    for j, each in planes.items():
        z, y, x = j - box[0].start, *each.places
        after[z, y - box[1].start, x - box[2].start] = edit.objects[0]
    after = np.where(before == 0, after, before)
    return replace(edit, box=box, before=before, after=after)


def _follow(edit: Edit, labels: NDArray[Any], outputs: Outputs | None, least: float) -> Edit | None:
    """Add an object to the next plane, at the most probable pixel under it; None where it ends."""
    (number,), (y, x) = edit.objects, edit.places
    if outputs is None or (labels == number).any():
        return None
    probability = np.where(labels[y, x] == 0, outputs.probability[y, x], 0)
    best = int(probability.argmax())
    if probability[best] < least:
        return None
    try:
        found = add_at(labels, outputs, (int(y[best]), int(x[best])), number)
    except ValueError:
        return None
    here, there = (np.ravel_multi_index(each.places, labels.shape) for each in (edit, found))
    shared = np.intersect1d(here, there).size
    return found if shared >= GOES_ON * (here.size + there.size - shared) else None


def _run(stack: NDArray[Any], k: int, number: int) -> range:
    """Planes that an object goes through without a gap."""
    ends = []
    for step in (-1, 1):
        j, here = k, stack[k] == number
        while 0 <= j + step < len(stack):
            beyond = stack[j + step] == number
            if not (here & beyond).any():
                break
            j, here = j + step, beyond
        ends.append(j)
    return range(ends[0], ends[1] + 1)


def _box(stack: NDArray[Any], run: range, number: int) -> Box:
    """Part of a stack that holds an object in some planes."""
    _, *sides = object_box(stack[run.start : run.stop], (number,))
    return slice(run.start, run.stop), *sides


def _around(edit: Edit, k: int, boxes: Iterable[Box]) -> Box:
    """Part of a stack that holds an edit of a plane and other parts."""
    every = [(slice(k, k + 1), *edit.box), *boxes]
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*every, strict=True)
    )


def _most_common(values: NDArray[Any]) -> tuple[int, int]:
    """How often the most common object is there, and which it is; 0, 0 of background alone."""
    numbers, counts = np.unique(values[values > 0], return_counts=True)
    return max(zip(counts.tolist(), numbers.tolist(), strict=True), default=(0, 0))
