"""Label arrays: 0 is background, every object has a positive number of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a dock's button is called that numbers the parts of a mask; sentences offer it by name.
NUMBER_PARTS = "Number parts"
#: Value of a pixel that nobody annotated.
NOT_ANNOTATED = -1
# Whole numbers below this are exact in float32.
_EXACT = 2**24
# Up to so many times the pixels, a table of all ids is quicker than sorting.
_DENSE = 4


def whole_numbers(values: npt.ArrayLike, name: str = "labels") -> npt.NDArray[Any]:
    """Give labels as integers, whatever kind of numbers a program kept them in.

    Parameters
    ----------
    values : array_like
        Integers; or floats that are all whole and below 2**24, as Fiji saves label images.
    name : str
        What an error calls them: "labels", or a word in the singular.

    Returns
    -------
    numpy.ndarray
        Integers as they are; floats exactly, as int32.

    Raises
    ------
    TypeError
        If they are bool, or no whole numbers.
    """
    array = np.asarray(values)
    check_label_type(array.dtype, name)
    if array.dtype.kind != "f":
        return array
    array = array.astype(np.float32) if array.dtype.itemsize < 4 else array
    is_label = (np.abs(array) < _EXACT) & (np.trunc(array) == array)
    if not is_label.all():
        raise TypeError(_no_whole_numbers(array, float(array[~is_label][0]), name))
    return array.astype(np.int32)


def check_labels(labels: npt.ArrayLike, name: str = "labels") -> npt.NDArray[Any]:
    """Refuse an array that is no label image, or not annotated everywhere.

    Parameters
    ----------
    labels : array_like
        What should be whole numbers, none negative.
    name : str
        As of `whole_numbers`.

    Returns
    -------
    numpy.ndarray
        The labels as `whole_numbers` gives them.

    Raises
    ------
    TypeError
        If they are no whole numbers.
    ValueError
        If one is negative.
    """
    return _not_below(0, whole_numbers(labels, name), name)


def known_labels(labels: npt.ArrayLike, name: str = "labels") -> npt.NDArray[Any]:
    """Labels in which pixels that nobody annotated, -1, are background.

    Parameters
    ----------
    labels : array_like
        Whole numbers from -1 on.
    name : str
        As of `whole_numbers`.

    Raises
    ------
    TypeError
        If they are no whole numbers.
    ValueError
        If one is below -1.
    """
    array = _not_below(NOT_ANNOTATED, whole_numbers(labels, name), name)
    return np.maximum(array, 0) if array.dtype.kind == "i" else array


def check_label_type(dtype: np.dtype[Any], name: str = "labels") -> None:
    """Refuse pixels that cannot be labels with a TypeError; arguments as of `whole_numbers`.

    Floats may be: their values tell.
    """
    if dtype.kind == "b":
        raise TypeError(
            f"{_no_integers(dtype, name)}: this is a mask. Number its separate parts "
            f"(--number-parts in a command, '{NUMBER_PARTS}' in a dock, "
            "napari_ssp.labels.number_parts in Python), or give the label image itself."
        )
    if dtype.kind not in "iuf":
        raise TypeError(f"{_no_integers(dtype, name)}.")


def number_parts(mask: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Give each separate part of a mask a number of its own.

    Parameters
    ----------
    mask : array_like
        Bool, or numbers that are positive inside of objects; 2D, or 3D of which all axes are space.

    Returns
    -------
    numpy.ndarray
        Int32 labels 1..n. Pixels that touch, also in a corner only, are of one part. Negative
        numbers, which mean "not annotated", become -1.
    """
    from scipy import ndimage  # takes a while to import

    values = np.asarray(mask)
    numbers = np.zeros(values.shape, np.int32)
    ndimage.label(values > 0, np.ones((3,) * values.ndim, np.int8), output=numbers)
    if values.dtype.kind in "if":
        numbers[values < 0] = NOT_ANNOTATED
    return numbers


def has_one_number(labels: npt.NDArray[Any]) -> bool:
    """Whether all objects of a label image have the same number, as in a mask."""
    if labels.dtype.kind == "b":
        return bool(labels.any())
    highest = labels.max(initial=0)
    return bool(highest > 0 and not ((labels > 0) & (labels != highest)).any())


def explain_shapes(image: tuple[int, ...], labels: tuple[int, ...]) -> str:
    """Say what may have happened to labels whose rows and columns are not their image's, or ""."""
    if len(image) != len(labels) or image[:-2] != labels[:-2] or image == labels:
        return ""
    if labels[-2:] == image[:-3:-1]:
        return " Rows and columns are exchanged: transpose one of them."
    zoom = labels[-2] / max(image[-2], 1)
    if round(image[-1] * zoom) == labels[-1]:
        return f" The labels are {zoom:g} times as large: resize them without interpolation."
    return ""


def warn_of_masks(parts: Sequence[int], count: int) -> str:
    """Warn of label images in which separate objects have one number.

    Parameters
    ----------
    parts : sequence of int
        How many separate parts each of them has.
    count : int
        How many label images were looked at.
    """
    some = f"each of {count}" if len(parts) == count else f"{len(parts)} of {count}"
    which = "The label image" if count == 1 else f"{some} label images".capitalize()
    span = f"{min(parts)} to {max(parts)}" if min(parts) < max(parts) else f"{max(parts)}"
    return (
        f"{which} has one number for {span} separate parts: a mask? Number them by their parts "
        f"(--number-parts, or '{NUMBER_PARTS}' in a dock), or they count as one object."
    )


def _not_below(lowest: int, labels: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    found = int(labels.min(initial=0)) if labels.dtype.kind == "i" else 0
    if found < lowest:
        # "The labels hold the negative label" would say it twice.
        holds = "hold the negative number" if name == "labels" else "holds the negative label"
        allowed = "" if lowest == 0 else " (-1, not annotated, is the only other one)"
        raise ValueError(
            f"The {name} {holds} {found}. Use 0 for the background and positive numbers for "
            f"objects{allowed}."
        )
    return labels


def _no_integers(dtype: np.dtype[Any], name: str) -> str:
    has = "have" if name == "labels" else "has"
    return f"The {name} {has} dtype {dtype}, but labels are integers, one number per object"


def _no_whole_numbers(array: npt.NDArray[Any], example: float, name: str) -> str:
    within = bool((array >= 0).all() and (array <= 1).all())
    kind = "a probability map" if within else "an image"
    what = f"one is {example:g}{', too large' if abs(example) >= _EXACT else ''}"
    return (
        f"{_no_integers(array.dtype, name)}, and of these {what}. Give the label image itself; if "
        f"this is {kind}, segment it first."
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


class PairCounts:
    """Pixels that two label images have in common, by pairs of ids, gathered piece by piece."""

    def __init__(self) -> None:
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._counts: list[npt.NDArray[np.intp]] = []

    def add(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
        """Count pixels of both; ids are from 0 to 2**32 - 1."""
        pairs = first.astype(np.uint64) << np.uint64(32) | second.astype(np.uint64)
        keys, counts = np.unique(pairs, return_counts=True)
        self._keys.append(keys)
        self._counts.append(counts)

    def table(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Ids of the first and of the second image, each pair once, and how many pixels it has."""
        every = np.concatenate([np.zeros(0, np.uint64), *self._keys])
        keys, place = np.unique(every, return_inverse=True)
        counts = np.zeros(keys.size, np.intp)
        np.add.at(counts, place, np.concatenate([np.zeros(0, np.intp), *self._counts]))
        first, second = keys >> np.uint64(32), keys & np.uint64(2**32 - 1)
        return first.astype(np.intp), second.astype(np.intp), counts
