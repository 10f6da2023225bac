"""Guard against measuring an image in place of its labels: each grey value would be an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_ssp.image import MicroscopyImage

#: Small label images may well have an object for every few pixels.
_FEWEST_PIXELS = 10_000
_OBJECTS_PER_PIXEL = 0.1
#: Labels are uniform along a row for as long as an object is wide; grey values change everywhere.
_CHANGES_PER_PIXEL = 0.5


class ManyObjectsError(ValueError):
    """Labels look like grey values; whoever knows better can agree to take them as they are."""


def check_objects(labels: MicroscopyImage) -> None:
    """Refuse labels that are more likely to be grey values, by a look at the middle plane.

    Parameters
    ----------
    labels : MicroscopyImage
        Label image.

    Raises
    ------
    ManyObjectsError
        If there are more objects than a tenth of the pixels, or most neighbours differ.
    """
    t, z = (labels.sizes.get(axis, 1) // 2 for axis in "tz")
    plane = labels.plane(t, z, 0)
    if plane.size < _FEWEST_PIXELS or plane.ndim != 2:
        return
    count = np.unique(plane[plane != 0]).size
    if count <= _OBJECTS_PER_PIXEL * plane.size and _changes(plane) <= _CHANGES_PER_PIXEL:
        return
    raise ManyObjectsError(
        f"'{labels.name}' would have {count} objects in {plane.size} pixels of one plane, most of "
        "them scattered or of a few pixels: it looks like an image, not like its labels. Give the "
        "label image that was made of it."
    )


def _changes(plane: npt.NDArray[Any]) -> float:
    """Share of the pixels that belong to an object, and not to that of their left neighbour."""
    return float(np.mean((plane[:, 1:] != plane[:, :-1]) & (plane[:, 1:] != 0)))
