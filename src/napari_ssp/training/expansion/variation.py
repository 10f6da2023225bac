"""Augmentations of the published student: a crop that is turned, sheared, blurred, brightened.

All chance comes from one generator for each crop; the published program seeded torch's own from a
few numbers, so that its crops repeated after some dozens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.training.data import LabelledImage

Range = tuple[float, float]


@dataclass(frozen=True)
class Variation:
    """How strongly crops are varied; the defaults are published.

    Attributes
    ----------
    spatial_probability : float
        Chance of the affine transform and of mirroring.
    degrees, shear : float
        Angles at most, either way.
    zoom : tuple of float
        Magnification.
    crop_probability, crop_area : float, tuple of float
        Chance of a resized crop, without interpolation, and the area that it shows.
    raw_probability : float
        Chance of blur and other brightness and contrast, which change the image only.
    blur : tuple of float
        Sigma in pixels, of a kernel of three.
    brightness : float
        Share by which brightness and contrast change at most.
    """

    spatial_probability: float = 0.75
    degrees: float = 180.0
    shear: float = 5.0
    zoom: Range = (0.8, 1.2)
    crop_probability: float = 0.13
    crop_area: Range = (0.8, 1.2)
    raw_probability: float = 0.5
    blur: Range = (0.05, 0.13)
    brightness: float = 0.13


#: How crops are varied, by name.
VARIATIONS: dict[str, Variation] = {
    "none": Variation(spatial_probability=0.0, crop_probability=0.0, raw_probability=0.0),
    "published": Variation(),
}


def vary_crop(
    image: LabelledImage, side: int, settings: Variation, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Random crop of an image and its mask.

    Returns
    -------
    tuple of numpy.ndarray
        Float32 (side, side) in [0, 1], and int8 (side, side): 1 inside, 0 outside, -1 where nobody
        annotated and beyond the image, which is black there.
    """
    matrix, order = np.eye(2), 1
    if rng.random() < settings.spatial_probability:
        matrix = _affine(settings, rng)
    if rng.random() < settings.crop_probability:
        matrix, order = matrix * np.sqrt(rng.uniform(*settings.crop_area)), 0
    centre = np.array([_centre(length, side, rng) for length in image.labels.shape])
    offset = centre - matrix @ np.full(2, (side - 1) / 2)
    grey = image.pixels.mean(axis=0, dtype=np.float32) / np.float32(255)
    inside = np.clip(image.labels, -1, 1).astype(np.int8)
    shape = (side, side)
    pixels = ndimage.affine_transform(grey, matrix, offset, shape, order=order, mode="constant")
    mask = ndimage.affine_transform(inside, matrix, offset, shape, order=0, cval=-1)
    if rng.random() < settings.raw_probability:
        pixels = _other_light(pixels, settings, rng)
    return np.ascontiguousarray(pixels), mask


def _affine(settings: Variation, rng: np.random.Generator) -> NDArray[np.float64]:
    """Matrix from a pixel of the crop, from its middle, to where in the image it comes from."""
    turn = np.deg2rad(rng.uniform(-settings.degrees, settings.degrees))
    slant = np.tan(np.deg2rad(rng.uniform(-settings.shear, settings.shear)))
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, -sin], [sin, cos]])
    mirror = np.diag(rng.choice([-1.0, 1.0], 2))
    matrix: NDArray[np.float64] = rotation @ np.array([[1.0, 0.0], [slant, 1.0]]) @ mirror
    return matrix / rng.uniform(*settings.zoom)


def _centre(length: int, side: int, rng: np.random.Generator) -> float:
    """Middle of a crop along an axis: anywhere inside, or that of an image that is shorter."""
    start = rng.integers(0, length - side + 1) if length > side else (length - side) // 2
    return float(start) + (side - 1) / 2


def _other_light(
    pixels: NDArray[np.float32], settings: Variation, rng: np.random.Generator
) -> NDArray[np.float32]:
    blurred = ndimage.gaussian_filter(pixels, rng.uniform(*settings.blur), radius=1)
    low, high = 1 - settings.brightness, 1 + settings.brightness
    brighter = np.clip(blurred * rng.uniform(low, high), 0.0, 1.0)
    mean = brighter.mean()
    varied = np.clip(mean + (brighter - mean) * rng.uniform(low, high), 0.0, 1.0)
    return np.asarray(varied, np.float32)
