"""Edits of a plane of a stack: its new parts keep the numbers of the objects that they go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.editing.apply import make_edit
from napari_ssp.flows.editing.edit import GOES_ON, Edit, Tool
from napari_ssp.flows.editing.through import add_through, carry_through, join_along

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_ssp.flows.editing.edit import Gesture, Outputs

    OutputsOf = Callable[[int], Outputs | None]

#: Planes to each side in which is looked whether numbers go on from plane to plane.
_NEAR = 8


def edit_stack(
    gesture: Gesture, stack: NDArray[Any], k: int, outputs_of: OutputsOf, number: int
) -> Edit:
    """Work out which voxels a gesture in a plane changes; the labels stay as they are.

    A new part has the number of the object of the plane above or below that it overlaps, where
    numbers go on from plane to plane and that object is not in the plane yet. A gesture
    ``through`` adds, splits, joins and removes in all planes that an object goes through without
    a gap; grow and shrink change the plane alone.

    Parameters
    ----------
    gesture : Gesture
        What was asked for.
    stack : numpy.ndarray
        Integers (Z, Y, X); 0 is background.
    k : int
        Plane in which it was asked for.
    outputs_of : callable
        Gives what the network said of a plane, `Outputs`, or None.
    number : int
        Number of the first new object.

    Returns
    -------
    Edit
        Its box has planes, rows and columns.

    Raises
    ------
    ValueError
        When it cannot be done there.
    """
    # A copy: a person may draw meanwhile, and "before" must be what was looked at.
    labels = np.array(stack[k])
    through = gesture.through and len(stack) > 1
    if through and gesture.tool is Tool.JOIN:
        along = join_along(gesture, labels, stack, k)
        if along is not None:
            return along
    edit = make_edit(gesture, labels, outputs_of(k), number)
    is_linked = bool(edit.fresh) and _is_linked(stack, k)
    if is_linked:
        edit = _go_on(edit, labels, [stack[j] for j in (k - 1, k + 1) if 0 <= j < len(stack)])
    match gesture.tool:
        case Tool.ADD if through and is_linked:
            return add_through(edit, stack, k, outputs_of)
        case Tool.SPLIT | Tool.JOIN | Tool.REMOVE if through:
            return carry_through(edit, stack, k)
    box = (slice(k, k + 1), *edit.box)
    return replace(edit, box=box, before=edit.before[None], after=edit.after[None])


def _is_linked(stack: NDArray[Any], k: int) -> bool:
    """Whether any object near a plane is in the next plane, too, with its number."""
    first, last = max(k - _NEAR, 0), min(k + _NEAR, len(stack) - 1)
    return any(
        bool(((stack[j] == stack[j + 1]) & (stack[j] > 0)).any()) for j in range(first, last)
    )


def _go_on(edit: Edit, labels: NDArray[Any], beside: list[NDArray[Any]]) -> Edit:
    """Give new parts the numbers of the objects of the planes beside that they go on."""
    after, names = edit.after.copy(), dict[int, int]()
    for part in edit.fresh:
        mask = edit.after == part
        overlap, found = max(_best_overlap(mask, plane, edit) for plane in beside)
        if overlap >= GOES_ON and found not in names.values() and not (labels == found).any():
            names[part] = found
            after[mask] = found
    objects = tuple(names.get(number, number) for number in edit.objects)
    fresh = tuple(number for number in edit.fresh if number not in names)
    return replace(edit, after=after, objects=objects, fresh=fresh)


def _best_overlap(mask: NDArray[np.bool_], plane: NDArray[Any], edit: Edit) -> tuple[float, int]:
    """Intersection over union with the object of a plane that it is the largest with, and which."""
    numbers, counts = np.unique(plane[edit.box][mask], return_counts=True)
    found = [(0.0, 0)]
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        if number > 0:
            union = int(mask.sum()) + int((plane == number).sum()) - count
            found.append((count / union, number))
    return max(found)
