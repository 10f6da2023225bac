"""Corruptions of true masks, after which their error is known: what a critic is pretrained on.

Each takes a mask of floats or bool (Y, X) from 0 to 1 and a generator, and returns a new one, as
float32 from 0 to 1; nothing else is drawn from or changed. What comes from outside is background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import warp

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

Mask = NDArray[np.float32]
Matrix = NDArray[np.float64]
Range = tuple[float, float]

#: Pixels from the middle of the blur's kernel to its end: the kernel has 11.
_BLUR_RADIUS = 5


@dataclass(frozen=True)
class CorruptionSettings:
    """How often and how strongly masks are corrupted.

    Chance, angle, distortion and kernel are those of Knowledge Expansion's program; what is erased
    and the blur's sigma are torchvision's defaults; the elastic field, the dropout, the zoom and
    the threshold are this project's.

    Attributes
    ----------
    probability : float
        Chance of each corruption; of seven at 0.13 a third of the masks has none.
    erased_share, erased_aspect : tuple of float
        Area of the erased rectangle, as a share of the mask, and its height over its width.
    dropped_share : tuple of float
        Share of the pixels that are dropped.
    degrees, zoom : tuple of float
        Angle of the affine transform, anticlockwise, and its magnification.
    distortion : float
        How far a corner moves inwards at most, as a share of half the height and width.
    displacement, smoothness : tuple of float
        Largest displacement of the elastic field, and the sigma of its smoothing, in pixels.
    blur : tuple of float
        Sigma of the blur in pixels.
    threshold : tuple of float
        Value from which a pixel is inside.
    """

    probability: float = 0.13
    erased_share: Range = (0.02, 0.33)
    erased_aspect: Range = (0.3, 3.3)
    dropped_share: Range = (0.02, 0.3)
    degrees: Range = (-10.0, 10.0)
    zoom: Range = (0.9, 1.1)
    distortion: float = 0.13
    displacement: Range = (1.0, 8.0)
    smoothness: Range = (4.0, 12.0)
    blur: Range = (0.1, 2.0)
    threshold: Range = (0.1, 0.9)


def corrupt(
    mask: npt.ArrayLike, rng: np.random.Generator, settings: CorruptionSettings | None = None
) -> Mask:
    """Corrupt a mask by each of the ways with some chance, one after the other.

    Parameters
    ----------
    mask : array_like
        True mask, bool or float (Y, X) from 0 to 1.
    rng : numpy.random.Generator
        Where all chance comes from.
    settings : CorruptionSettings or None
        None takes the defaults.

    Returns
    -------
    numpy.ndarray
        Float32 (Y, X) from 0 to 1.

    Raises
    ------
    ValueError
        If the mask is not 2D, has no pixels, or values that are not from 0 to 1.
    """
    s = settings or CorruptionSettings()
    ways: tuple[Callable[[Mask], Mask], ...] = (
        lambda m: erase(m, rng, s.erased_share, s.erased_aspect),
        lambda m: elastic(m, rng, s.displacement, s.smoothness),
        lambda m: dropout(m, rng, s.dropped_share),
        lambda m: affine(m, rng, s.degrees, s.zoom),
        lambda m: perspective(m, rng, s.distortion),
        lambda m: blur(m, rng, s.blur),
        lambda m: thresholded(m, rng, s.threshold),
    )
    corrupted = checked_mask(mask).copy()
    for way in ways:
        if rng.random() < s.probability:
            corrupted = way(corrupted)
    return corrupted


def erase(mask: npt.ArrayLike, rng: np.random.Generator, share: Range, aspect: Range) -> Mask:
    """Empty a rectangle of a share of the area; its aspect is even in the logarithm."""
    erased = checked_mask(mask).copy()
    area = rng.uniform(*share) * erased.size
    height_over_width = np.exp(rng.uniform(*np.log(aspect)))
    sides = np.sqrt(area * height_over_width), np.sqrt(area / height_over_width)
    box = [_span(length, side, rng) for length, side in zip(erased.shape, sides, strict=True)]
    erased[tuple(box)] = 0
    return erased


def dropout(mask: npt.ArrayLike, rng: np.random.Generator, share: Range) -> Mask:
    """Empty each pixel with the same chance."""
    whole = checked_mask(mask)
    return np.where(rng.random(whole.shape) < rng.uniform(*share), np.float32(0), whole)


def affine(mask: npt.ArrayLike, rng: np.random.Generator, degrees: Range, zoom: Range) -> Mask:
    """Turn a mask about its middle and magnify it."""
    whole = checked_mask(mask)
    angle, factor = np.deg2rad(rng.uniform(*degrees)), np.exp(rng.uniform(*np.log(zoom)))
    cos, sin = np.cos(angle) / factor, np.sin(angle) / factor
    # From a pixel of the result to where it comes from; y points down.
    back = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    to_middle = np.eye(3)
    to_middle[:2, 2] = (np.array(whole.shape[::-1]) - 1) / 2
    return _warped(whole, to_middle @ back @ np.linalg.inv(to_middle))


def perspective(mask: npt.ArrayLike, rng: np.random.Generator, distortion: float) -> Mask:
    """Show a mask in perspective: each of its corners moves inwards."""
    whole = checked_mask(mask)
    size = np.array(whole.shape[::-1])
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    corners = (size - 1) / 2 + signs * size / 2
    moved = corners - signs * size / 2 * rng.uniform(0.0, distortion, (4, 2))
    return _warped(whole, _homography(moved, corners))


def elastic(
    mask: npt.ArrayLike, rng: np.random.Generator, displacement: Range, smoothness: Range
) -> Mask:
    """Displace the pixels by a smooth random field."""
    whole = checked_mask(mask)
    largest, sigma = rng.uniform(*displacement), rng.uniform(*smoothness)
    noise = rng.uniform(-1.0, 1.0, (2, *whole.shape))
    # Mirrored at the borders, the field would be strongest there.
    field = np.stack([ndimage.gaussian_filter(part, sigma, mode="wrap") for part in noise])
    field *= largest / np.hypot(*field).max()
    places = np.indices(whole.shape) + field
    return _sampled(ndimage.map_coordinates(whole, places, order=1, mode="constant"))


def blur(mask: npt.ArrayLike, rng: np.random.Generator, sigma: Range) -> Mask:
    """Smooth a mask by a Gaussian of 11 pixels, mirrored at the borders."""
    whole = checked_mask(mask)
    return _sampled(ndimage.gaussian_filter(whole, rng.uniform(*sigma), radius=_BLUR_RADIUS))


def thresholded(mask: npt.ArrayLike, rng: np.random.Generator, threshold: Range) -> Mask:
    """Make a soft mask hard: inside is what reaches a value."""
    return (checked_mask(mask) >= rng.uniform(*threshold)).astype(np.float32)


def checked_mask(mask: npt.ArrayLike, name: str = "mask") -> Mask:
    """Refuse what is no mask with a ValueError; give it as float32, not copied where it is."""
    values = np.asarray(mask, np.float32)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"The {name} has shape {values.shape}, but a plane (Y, X) is needed.")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"The {name} has values from {values.min():g} to {values.max():g}, but a mask has them "
            "from 0 to 1. Of labels, give what is above 0."
        )
    return values


def _homography(sources: Matrix, targets: Matrix) -> Matrix:
    """Projective transform (3, 3) that takes four points (4, 2), x and y, to four others."""
    rows, right = [], []
    for (x, y), (u, v) in zip(sources, targets, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(right)), 1.0).reshape(3, 3)


def _span(length: int, side: float, rng: np.random.Generator) -> slice:
    width = min(max(round(side), 1), length)
    start = int(rng.integers(0, length - width + 1))
    return slice(start, start + width)


def _warped(mask: Mask, back: Matrix) -> Mask:
    """Mask whose pixels (x, y) come from ``back`` @ (x, y, 1), interpolated linearly."""
    return _sampled(warp(mask, back, order=1, mode="constant", cval=0.0))  # type: ignore[no-untyped-call]


def _sampled(values: npt.NDArray[np.floating]) -> Mask:
    # Rounding may take an interpolated value a little beyond 0 or 1.
    inside: Mask = np.clip(values, 0.0, 1.0).astype(np.float32)
    return inside
