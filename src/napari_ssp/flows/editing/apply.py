"""The edit that a gesture means for a plane of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.flows.editing.adding import add_at
from napari_ssp.flows.editing.edit import Tool
from napari_ssp.flows.editing.reshaping import grow, join, remove, shrink
from napari_ssp.flows.editing.splitting import split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.flows.editing.edit import Edit, Gesture, Outputs


def make_edit(
    gesture: Gesture, labels: NDArray[Any], outputs: Outputs | None, number: int | None = None
) -> Edit:
    """Work out which pixels a gesture changes; the labels stay as they are.

    Parameters
    ----------
    gesture : Gesture
        What was asked for.
    labels : numpy.ndarray
        Integers (Y, X); 0 is background.
    outputs : Outputs or None
        What the network said; without it nothing can be added, and objects are split by lines.
    number : int, optional
        Number of the first new object; one above the highest of the plane when not given.

    Returns
    -------
    Edit

    Raises
    ------
    ValueError
        When it cannot be done there.
    """
    line, point = gesture.points, gesture.points[0]
    match gesture.tool:
        case Tool.ADD:
            if outputs is None:
                raise ValueError(
                    "These labels have no flows of planes to add an object by. Segment their image "
                    "plane by plane and keep the Segment dock open, or draw the object with the "
                    "brush."
                )
            return add_at(labels, outputs, point, number)
        case Tool.SPLIT:
            return split(labels, outputs, line, number)
        case Tool.JOIN:
            return join(labels, line)
        case Tool.REMOVE:
            return remove(labels, line)
        case Tool.GROW:
            return grow(labels, point, gesture.pixels)
        case Tool.SHRINK:
            return shrink(labels, point, gesture.pixels)
