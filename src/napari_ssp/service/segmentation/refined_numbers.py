"""Numbers of objects that stay from one segmentation to the next, and so do their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.uint32]


def keep_numbers(labels: Labels, before: Labels) -> Labels:
    """Give objects the numbers that they had before, as far as one pixel can tell.

    Parameters
    ----------
    labels : numpy.ndarray
        Uint32, any shape; 0 is background.
    before : numpy.ndarray
        Uint32, the same shape.

    Returns
    -------
    numpy.ndarray
        The same objects. One that began in an object of before, or in which one of those began,
        has its number; each number is given once, and the others get the smallest free ones.
    """
    now, old = labels.reshape(-1), before.reshape(-1)
    numbers = np.zeros(int(now.max(initial=0)) + 1, np.uint32)
    objects, places = _first_pixels(now)
    _claim(numbers, objects, old[places])
    known, places = _first_pixels(old)
    _claim(numbers, now[places], known)
    nameless = objects[numbers[objects] == 0]
    free = np.setdiff1d(np.arange(1, len(objects) + int(numbers.max()) + 1), numbers)
    numbers[nameless] = free[: len(nameless)]
    return numbers[labels]


def _claim(numbers: Labels, objects: NDArray[Any], wanted: NDArray[Any]) -> None:
    """Give objects the numbers that they want: each object and each number once."""
    free = (objects > 0) & (wanted > 0) & (numbers[objects] == 0) & ~np.isin(wanted, numbers)
    objects, wanted = objects[free], wanted[free]
    for claims in (0, 1):
        _, first = np.unique((wanted, objects)[claims], return_index=True)
        objects, wanted = objects[first], wanted[first]
    numbers[objects] = wanted


def _first_pixels(flat: Labels) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Numbers of the objects that are there, and the place of the first pixel of each."""
    places = np.full(int(flat.max(initial=0)) + 1, -1)
    # Of several pixels the last one that is assigned stays.
    places[flat[::-1]] = np.arange(len(flat) - 1, -1, -1)
    places[0] = -1
    objects = np.flatnonzero(places >= 0)
    return objects, places[objects]
