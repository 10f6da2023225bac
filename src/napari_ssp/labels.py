"""Label arrays: 0 is background, every object has a positive number of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Up to so many times the pixels, a table of all ids is quicker than sorting.
_DENSE = 4


def check_labels(labels: npt.ArrayLike, name: str = "labels") -> npt.NDArray[Any]:
    """Refuse an array that is no label image.

    Parameters
    ----------
    labels : array_like
        What should be integers, none negative.
    name : str
        What an error calls them: "labels", or a word in the singular.

    Returns
    -------
    numpy.ndarray
        The labels as they are.

    Raises
    ------
    TypeError
        If they are no integers.
    ValueError
        If one is negative.
    """
    array = np.asarray(labels)
    check_label_type(array.dtype, name)
    if array.dtype.kind == "i" and int(array.min(initial=0)) < 0:
        # "The labels hold the negative label" would say it twice.
        holds = "hold the negative number" if name == "labels" else "holds the negative label"
        raise ValueError(
            f"The {name} {holds} {int(array.min())}. Use 0 for the background and positive numbers "
            "for objects."
        )
    return array


def check_label_type(dtype: np.dtype[Any], name: str = "labels") -> None:
    """Refuse pixels that are no integers with a TypeError; arguments as of `check_labels`."""
    if dtype.kind not in "iu":
        has, it = ("have", "them") if name == "labels" else ("has", "it")
        raise TypeError(
            f"The {name} {has} dtype {dtype}, but labels are integers, one number per object. "
            f"Convert {it}, give the label image itself, or number the objects of a mask first "
            "(scipy.ndimage.label)."
        )


def number_labels(labels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Give objects numbers without gaps, in the order of their ids.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers or bool, none negative; ids may have gaps.

    Returns
    -------
    ids : numpy.ndarray
        Ids of the objects, ascending; that of number n stands at n - 1.
    numbers : numpy.ndarray
        Int32 labels 1..n, 0 for background.
    """
    highest = int(labels.max(initial=0))
    if highest > _DENSE * labels.size + 256:
        ids, inverse = np.unique(labels, return_inverse=True)
        first = int(ids[0] > 0)
        return ids[1 - first :], inverse.reshape(labels.shape).astype(np.int32) + np.int32(first)
    # As indices at once: numpy would convert them twice, and more slowly.
    places = labels.reshape(-1).astype(np.intp, copy=False)
    present = np.zeros(highest + 1, np.bool_)
    present[places] = True
    present[0] = False
    table = np.cumsum(present, dtype=np.int32) * present
    return np.flatnonzero(present), table[places].reshape(labels.shape)


def number_from(labels: npt.NDArray[Any], first_id: int) -> npt.NDArray[np.uint32]:
    """Labels 1..n as uint32 that go on from an id, so that objects of many planes differ."""
    numbers = labels.astype(np.uint32, copy=False)
    return numbers if first_id == 1 else np.where(numbers > 0, numbers + np.uint32(first_id - 1), 0)
