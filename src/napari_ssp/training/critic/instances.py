"""Faults planted into true labels: what a critic learns besides the real mistakes of models.

Each takes labels, int32 (Y, X) with 0 as background, and a generator, and returns new ones; where a
fault is not possible the labels come back as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Labels = npt.NDArray[np.int32]
    Box = tuple[slice, slice]

#: Pixels that an outline is off by, at most, as a share of the object's diameter.
_MOST_OFF = 0.3


def plant_faults(labels: Labels, rng: np.random.Generator) -> Labels:
    """Make some objects wrong, in ways and numbers that are drawn.

    Parameters
    ----------
    labels : numpy.ndarray
        True labels, int32 (Y, X).
    rng : numpy.random.Generator
        Where all chance comes from.

    Returns
    -------
    numpy.ndarray
        Int32 (Y, X).
    """
    ways, labels = [*_WAYS], np.maximum(labels, 0)
    chosen = rng.choice(len(ways), rng.integers(1, 4), replace=False)
    objects = int(np.unique(labels).size - 1)
    share = rng.uniform(0.02, 0.35)
    for way in chosen:
        for _ in range(max(round(share * objects / len(chosen)), 1)):
            labels = ways[way](labels, rng)
    return labels


def erase_object(labels: Labels, rng: np.random.Generator) -> Labels:
    """Miss an object."""
    k = _any_object(labels, rng)
    return np.where(labels == k, np.int32(0), labels) if k else labels


def merge_objects(labels: Labels, rng: np.random.Generator) -> Labels:
    """Give an object and its nearest neighbour one number, and fill the gap."""
    k = _any_object(labels, rng)
    if not ((labels > 0) & (labels != k)).any():
        return labels
    far, place = ndimage.distance_transform_edt((labels <= 0) | (labels == k), return_indices=True)
    inside = labels == k
    nearest = np.flatnonzero(inside)[np.argmin(far[inside])]
    other = labels.ravel()[np.ravel_multi_index(place.reshape(2, -1)[:, nearest], labels.shape)]
    gap = float(far.ravel()[nearest])
    if other in (0, k) or gap > 0.5 * np.sqrt(inside.sum()) + 2:
        return labels
    both = inside | (labels == other)
    closed = ndimage.binary_closing(
        np.pad(both, 16), iterations=min(int(np.ceil(gap / 2)) + 1, 12)
    )[16:-16, 16:-16]
    return np.where(both | (closed & (labels == 0)), np.int32(k), labels)


def split_object(labels: Labels, rng: np.random.Generator) -> Labels:
    """Cut an object into two along a line near its middle."""
    k = _any_object(labels, rng)
    if not k:
        return labels
    places = np.argwhere(labels == k)
    angle = rng.uniform(0, np.pi)
    along = (places - places.mean(axis=0)) @ (np.cos(angle), np.sin(angle))
    part = along > rng.uniform(-0.25, 0.25) * np.ptp(along)
    changed = labels.copy()
    changed[tuple(places[part].T)] = labels.max() + 1
    return changed


def shift_object(labels: Labels, rng: np.random.Generator) -> Labels:
    """Move an object by a part of its diameter."""
    k = _any_object(labels, rng)
    if not k:
        return labels
    shape = labels == k
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7) * np.sqrt(shape.sum())
    return _put(
        np.where(shape, np.int32(0), labels), shape, far * np.sin(angle), far * np.cos(angle), k
    )


def grow_object(labels: Labels, rng: np.random.Generator) -> Labels:
    """Draw an object too large, into the background only."""
    k = _any_object(labels, rng)
    if not k:
        return labels
    far = ndimage.distance_transform_edt(labels != k)
    wide = rng.uniform(0.05, _MOST_OFF) * np.sqrt((labels == k).sum()) + 1
    return np.where((far <= wide) & (labels == 0), np.int32(k), labels)


def shrink_object(labels: Labels, rng: np.random.Generator) -> Labels:
    """Draw an object too small; something of it stays."""
    k = _any_object(labels, rng)
    if not k:
        return labels
    deep = ndimage.distance_transform_edt(labels == k)
    wide = min(rng.uniform(0.05, _MOST_OFF) * np.sqrt((deep > 0).sum()) + 1, deep.max() - 0.5)
    return np.where((deep > 0) & (deep <= wide), np.int32(0), labels)


def invent_object(labels: Labels, rng: np.random.Generator) -> Labels:
    """Put the shape of an object, turned and of another size, where there is background."""
    k, free = _any_object(labels, rng), np.flatnonzero(labels == 0)
    if not k or not free.size:
        return labels
    shape = np.rot90(_cut_out(labels == k), int(rng.integers(4)))
    zoomed = ndimage.zoom(shape.astype(np.float32), rng.uniform(0.4, 1.3), order=1) > 0.5
    whole = np.zeros(labels.shape, np.bool_)
    height, width = np.minimum(zoomed.shape, whole.shape)
    whole[:height, :width] = zoomed[:height, :width]
    y, x = np.unravel_index(rng.choice(free), labels.shape)
    return _put(labels, whole, y - zoomed.shape[0] / 2, x - zoomed.shape[1] / 2, labels.max() + 1)


def shift_all(labels: Labels, rng: np.random.Generator) -> Labels:
    """Move all objects alike, as labels of another image would lie."""
    steps = rng.integers(-5, 6, 2)
    moved: Labels = ndimage.shift(labels, steps, order=0)
    return moved


def grow_all(labels: Labels, rng: np.random.Generator) -> Labels:
    """Draw all objects too large, or too small, by the same width."""
    wide = rng.uniform(1.0, 3.5)
    if rng.random() < 0.5:
        far, place = ndimage.distance_transform_edt(labels == 0, return_indices=True)
        return np.where(far <= wide, labels[tuple(place)], np.int32(0))
    inner = ndimage.minimum_filter(labels, 3) == ndimage.maximum_filter(labels, 3)
    deep = ndimage.distance_transform_edt(inner & (labels > 0))
    return np.where(deep > wide - 1, labels, np.int32(0))


_WAYS: tuple[Callable[[Labels, np.random.Generator], Labels], ...] = (
    erase_object,
    erase_object,
    merge_objects,
    merge_objects,
    split_object,
    shift_object,
    grow_object,
    shrink_object,
    invent_object,
    invent_object,
    grow_all,
    shift_all,
)


def _any_object(labels: Labels, rng: np.random.Generator) -> int:
    """Draw an object, each with the same chance; 0 where there is none."""
    ids = np.unique(labels)
    ids = ids[ids > 0]
    return int(rng.choice(ids)) if ids.size else 0


def _put(labels: Labels, shape: npt.NDArray[np.bool_], dy: float, dx: float, k: int) -> Labels:
    """Put a shape, moved, into the background."""
    moved = np.argwhere(shape) + np.array([round(dy), round(dx)])
    fits = ((moved >= 0) & (moved < labels.shape)).all(axis=1)
    places = tuple(moved[fits].T)
    changed = labels.copy()
    changed[places] = np.where(labels[places] == 0, np.int32(k), labels[places])
    return changed


def _cut_out(shape: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Smallest box around a shape."""
    return shape[np.ix_(*(shape.any(axis=1 - axis) for axis in (0, 1)))]
