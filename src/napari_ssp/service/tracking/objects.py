"""Objects of all frames of a label movie: number, size and centre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.measure.objects import read_objects
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects of a movie, one row per object and frame, in the order of frames and numbers.

    Attributes
    ----------
    frame, label, size : numpy.ndarray
        (rows,): frame from 0, number in the labels, pixels.
    centre : numpy.ndarray
        Float64 (rows, axes): z, y, x, or y, x, in pixels from the first one's centre.
    begins : numpy.ndarray
        (frames + 1,): first row of each frame, and the number of rows.
    """

    frame: npt.NDArray[np.int64]
    label: npt.NDArray[Any]
    size: npt.NDArray[np.int64]
    centre: npt.NDArray[np.float64]
    begins: npt.NDArray[np.int64]


def find_objects(labels: MicroscopyImage) -> Steps[Objects]:
    """Find the objects of all frames.

    Parameters
    ----------
    labels : MicroscopyImage
        Label image with an axis t, and one channel.

    Yields
    ------
    Progress
        Stage "finding objects", once per frame.

    Returns
    -------
    Objects
    """
    count = labels.sizes["t"]
    ids, sizes, centres = [], [], []
    for frame in range(count):
        yield Progress("finding objects", frame, count)
        found, numbers = read_objects(labels, {"t": frame})
        ids.append(found)
        sizes.append(np.bincount(numbers.ravel(), minlength=len(found) + 1)[1:])
        centres.append(_centres(numbers, len(found)))
    lengths = [len(each) for each in ids]
    return Objects(
        frame=np.repeat(np.arange(count), lengths),
        label=np.concatenate(ids),
        size=np.concatenate(sizes),
        centre=np.concatenate(centres),
        begins=np.concatenate([[0], np.cumsum(lengths)]),
    )


def _centres(numbers: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.float64]:
    from scipy import ndimage  # takes a while to import

    places = ndimage.center_of_mass(numbers > 0, numbers, np.arange(1, count + 1))
    return np.array(places, np.float64).reshape(count, numbers.ndim)
