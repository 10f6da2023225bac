"""Input of a critic: a plane, and what its labels say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_ssp.engine.normalise import normalise
from napari_ssp.engine.scaling import resample
from napari_ssp.engine.tiling import compute_zoomed_shape
from napari_ssp.labels import explain_shapes, known_labels, number_labels

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int32]
    Plane = npt.NDArray[np.float32]
    Values = npt.NDArray[np.float64]

#: Channels: the image in three, and six of the labels.
CHANNELS = 9
#: How far planes may be magnified for a critic; more costs time, less leaves nothing to see.
_ZOOMS = (0.25, 1.0)
#: Where there is no object to go by.
_ZOOM_WITHOUT_OBJECTS = 0.5
_SMOOTHING = 1.0


@dataclass(frozen=True, eq=False)
class LabelledPlane:
    """A plane and its labels, checked; objects are numbered from 1.

    Attributes
    ----------
    image : numpy.ndarray
        Float32 (3, Y, X) in [0, 1].
    numbers : numpy.ndarray
        Int32 (Y, X), 0 is background.
    ids : numpy.ndarray
        Id of number n at n - 1, ascending.
    unknown : numpy.ndarray
        Bool (Y, X), what nobody annotated.
    """

    image: Plane
    numbers: Numbers
    ids: npt.NDArray[np.integer]
    unknown: npt.NDArray[np.bool_]

    @property
    def areas(self) -> npt.NDArray[np.int64]:
        """Pixels of each object, in the order of the ids."""
        return np.bincount(self.numbers.ravel(), minlength=self.ids.size + 1)[1:]

    def resized(self, shape: tuple[int, ...]) -> LabelledPlane:
        """Bring a plane to other lengths of y and x; small objects may lose all their pixels."""
        if shape == self.numbers.shape:
            return self
        nearest = np.ix_(*map(_nearest, self.numbers.shape, shape))
        return LabelledPlane(
            resample(self.image, shape), self.numbers[nearest], self.ids, self.unknown[nearest]
        )


def labelled_plane(image: npt.ArrayLike, labels: npt.ArrayLike) -> LabelledPlane:
    """Check a plane and its labels, normalise the one and number the other.

    Parameters
    ----------
    image : array_like
        (Y, X) or (Y, X, C) of numbers, as `napari_ssp.engine.normalise` takes it.
    labels : array_like of int
        (Y, X), 0 is background; ids may have gaps; -1 is not annotated.

    Raises
    ------
    TypeError
        If the labels are no whole numbers, or the image holds no numbers.
    ValueError
        If their heights and widths differ, or a label is below -1.
    """
    plane, known = normalise(image), known_labels(labels)
    if known.shape != plane.shape[1:]:
        raise ValueError(
            f"The labels have shape {known.shape} and the image {plane.shape[1:]} (height, width). "
            "Give the image that was segmented, one plane at a time."
            f"{explain_shapes(plane.shape[1:], known.shape)}"
        )
    ids, numbers = number_labels(known)
    return LabelledPlane(plane, numbers, ids, np.asarray(labels) < 0)


def critic_zoom(areas: npt.NDArray[np.integer], diameter: float) -> float:
    """Magnification at which objects have the diameter that a critic knows.

    The object that counts is the one in which the middle pixel of all objects lies, by size: specks
    of noise hardly count.
    """
    if not areas.size:
        return _ZOOM_WITHOUT_OBJECTS
    ascending = np.sort(areas)
    reached = np.searchsorted(np.cumsum(ascending), ascending.sum() / 2)
    zoom = diameter / (2 * np.sqrt(ascending[reached] / np.pi))
    return float(np.clip(zoom, *_ZOOMS))


def critic_channels(image: npt.ArrayLike, labels: npt.ArrayLike) -> Plane:
    """Compute what a critic sees of a plane, at the plane's own magnification.

    Parameters
    ----------
    image, labels : array_like
        As of `labelled_plane`.

    Returns
    -------
    numpy.ndarray
        Float32 (9, Y, X): the image in three channels, normalised; inside (0 or 1); boundary, whose
        pixels touch another object or the background (0 or 1); distance to the boundary, over the
        radius of the disk of the object's size, negative outside; size, the logarithm of the
        object's diameter over the median one; slope, the brightness's derivative inwards across the
        boundary; contrast, brightness minus the mean of the object, or of the background.

    Raises
    ------
    TypeError, ValueError
        As of `labelled_plane`.
    """
    return stack_channels(labelled_plane(image, labels))


def stack_channels(plane: LabelledPlane) -> Plane:
    """Do what `critic_channels` does with a checked plane, e.g. a resized one."""
    numbers = plane.numbers
    inside, edge = numbers > 0, boundary(numbers)
    areas = np.bincount(numbers.ravel(), minlength=plane.ids.size + 1)
    radii = np.sqrt(np.maximum(areas, 1) / np.pi)
    median = float(np.median(radii[1:][areas[1:] > 0])) if inside.any() else 1.0
    far = _signed_distance(inside, edge)
    radii[0] = median
    grey = plane.image.mean(axis=0)
    return np.stack(
        [
            *plane.image,
            inside,
            edge,
            np.clip(far / radii[numbers], -3, 3),
            np.where(inside, np.log(radii / median)[numbers], 0),
            _slope(grey, far),
            grey - _means(grey, numbers, areas)[numbers],
        ]
    ).astype(np.float32)


def boundary(numbers: Numbers) -> npt.NDArray[np.bool_]:
    """Pixels of objects that have a neighbour above, below or beside of another number."""
    edge = np.zeros(numbers.shape, np.bool_)
    for axis in (0, 1):
        change = np.diff(numbers, axis=axis) != 0
        ahead, behind = (
            (slice(None),) * axis + (part,) for part in (_ALL_BUT_LAST, _ALL_BUT_FIRST)
        )
        edge[ahead] |= change
        edge[behind] |= change
    return edge & (numbers > 0)


_ALL_BUT_LAST, _ALL_BUT_FIRST = slice(None, -1), slice(1, None)


def _signed_distance(inside: npt.NDArray[np.bool_], edge: npt.NDArray[np.bool_]) -> Plane:
    """Pixels to the nearest boundary, negative outside; where there is no boundary, far from it."""
    if not edge.any():
        return np.where(inside, 1.0, -1.0).astype(np.float32) * sum(inside.shape)
    far = ndimage.distance_transform_edt(~edge)
    signed: Plane = np.where(inside, far, -far).astype(np.float32)
    return signed


def _slope(grey: Plane, far: Plane) -> Plane:
    """Compute the brightness's derivative along the way inwards."""
    steps = [ndimage.sobel(ndimage.gaussian_filter(grey, _SMOOTHING), axis) / 8 for axis in (0, 1)]
    ways = [ndimage.sobel(far, axis) / 8 for axis in (0, 1)]
    slope: Plane = 4 * sum(
        step * np.clip(way, -1, 1) for step, way in zip(steps, ways, strict=True)
    )
    return slope


def _means(grey: Plane, numbers: Numbers, areas: npt.NDArray[np.integer]) -> Values:
    sums = np.bincount(numbers.ravel(), grey.ravel(), minlength=areas.size)
    means: Values = sums / np.maximum(areas, 1)
    return means


def _nearest(length: int, new_length: int) -> npt.NDArray[np.intp]:
    places = (np.arange(new_length) + 0.5) * (length / new_length)
    return np.minimum(places.astype(np.intp), length - 1)


def zoomed_plane(plane: LabelledPlane, diameter: float) -> LabelledPlane:
    """Bring a plane to the magnification that `critic_zoom` finds for its objects."""
    zoom = critic_zoom(plane.areas, diameter)
    return plane.resized(compute_zoomed_shape(plane.numbers.shape, zoom))
