"""Random crops of a stack and its fluorescence: RepMode's flips, and more where data are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

if TYPE_CHECKING:
    from napari_ssp.training.data import ScoredArray, StructurePair

Stack = NDArray[np.float32]
Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class StructureAugmentation:
    """How crops are made and varied; the defaults are RepMode's.

    Attributes
    ----------
    crop : tuple of int
        Lengths along z, y and x, multiples of 16.
    flips : tuple of bool
        Whether z, y and x are flipped in half of the cases. Transmitted light looks different from
        below and above, so that z is worth flipping only where data are many.
    quarter_turns : bool
        Turn by a multiple of 90 degrees in the plane, where y and x are equally long.
    warp_probability : float
        Chance of a magnification and turn in the plane.
    zoom_spread, degrees : float
        Magnified by 1 / zoom_spread to zoom_spread, turned by as many degrees either way.
    intensity_probability : float
        Chance of each of gain and offset, shading, noise and blur of the signal.
    gain, offset, shading, noise : float
        Largest change, in standard deviations of the signal; shading is a slope along y and x.
    blur : float
        Largest sigma of a Gaussian in the plane, in pixels.
    """

    crop: tuple[int, int, int] = (32, 128, 128)
    flips: tuple[bool, bool, bool] = (True, True, True)
    quarter_turns: bool = False
    warp_probability: float = 0.0
    zoom_spread: float = 1.0
    degrees: float = 0.0
    intensity_probability: float = 0.0
    gain: float = 0.3
    offset: float = 0.3
    shading: float = 0.5
    noise: float = 0.3
    blur: float = 1.0


class Crop(NamedTuple):
    """A crop, float32 (Z, Y, X) each, and bool where it was measured.

    A target that is a projection is repeated along z; beyond the image, crops are mirrored.
    """

    signal: Stack
    target: Stack
    counted: NDArray[np.bool_]


def random_crop(
    pair: StructurePair, settings: StructureAugmentation, rng: np.random.Generator
) -> Crop:
    """Cut a crop at a random place, turn and flip it, and vary the signal's intensity."""
    lengths = settings.crop
    starts = [_start(n, m, rng) for n, m in zip(pair.signal.shape, lengths, strict=True)]
    if rng.random() < settings.warp_probability:
        crop = _warped(pair, starts, settings, rng)
    else:
        crop = _cut(pair, tuple(zip(starts, lengths, strict=True)))
    crop = _flipped_and_turned(crop, settings, rng)
    signal = np.ascontiguousarray(_varied(crop.signal, settings, rng))
    return Crop(signal, np.ascontiguousarray(crop.target), np.ascontiguousarray(crop.counted))


def _start(length: int, wanted: int, rng: np.random.Generator) -> int:
    if length <= wanted:
        return -((wanted - length) // 2)
    return int(rng.integers(0, length - wanted + 1))


def _cut(pair: StructurePair, box: Box) -> Crop:
    """Cut a box of (start, length) per axis, mirrored where it leaves the image."""
    signal = _mirrored(pair.signal, box)
    flat = _mirrored(pair.target, box[-len(pair.target.shape) :])
    inside = [
        (start + np.arange(length) >= 0) & (start + np.arange(length) < size)
        for (start, length), size in zip(box, pair.signal.shape, strict=True)
    ]
    z, y, x = inside
    counted = z[:, None, None] & y[:, None] & x
    return Crop(signal, np.broadcast_to(flat, signal.shape), counted)


def _mirrored(array: ScoredArray, box: Box) -> Stack:
    spans = [
        (max(start, 0), min(start + length, size))
        for (start, length), size in zip(box, array.shape, strict=True)
    ]
    margins = [
        (low - start, start + length - high)
        for (start, length), (low, high) in zip(box, spans, strict=True)
    ]
    return np.pad(array.read(tuple(slice(*span) for span in spans)), margins, mode="symmetric")


def _warped(
    pair: StructurePair,
    starts: list[int],
    settings: StructureAugmentation,
    rng: np.random.Generator,
) -> Crop:
    """Crop that is magnified and turned about its middle, by linear interpolation."""
    zoom = settings.zoom_spread ** rng.uniform(-1.0, 1.0)
    angle = np.deg2rad(rng.uniform(-settings.degrees, settings.degrees))
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    lengths = np.array(settings.crop[1:])
    reach = np.ceil(np.abs(matrix) @ lengths).astype(int) + 2
    corner = np.array(starts[1:]) - (reach - lengths) // 2
    plane = zip(corner.tolist(), reach.tolist(), strict=True)
    wide = _cut(pair, ((starts[0], settings.crop[0]), *plane))
    offset = (reach - 1) / 2 - matrix @ ((lengths - 1) / 2)

    def warp(stack: NDArray[np.float32], order: int) -> Stack:
        planes = [
            ndimage.affine_transform(p, matrix, offset, tuple(lengths), order=order, mode="nearest")
            for p in stack
        ]
        return np.stack(planes)

    counted = warp(wide.counted.astype(np.float32), 1) > 0.99
    return Crop(warp(wide.signal, 1), warp(wide.target, 1), counted)


def _flipped_and_turned(
    crop: Crop, settings: StructureAugmentation, rng: np.random.Generator
) -> Crop:
    steps = tuple(-1 if flips and rng.random() < 0.5 else 1 for flips in settings.flips)
    order = tuple(slice(None, None, step) for step in steps)
    turns = int(rng.integers(4)) if settings.quarter_turns else 0
    if settings.crop[1] != settings.crop[2]:
        turns -= turns % 2
    parts: list[NDArray[Any]] = [np.rot90(part[order], turns, (1, 2)) for part in crop]
    return Crop(*parts)


def _varied(signal: Stack, settings: StructureAugmentation, rng: np.random.Generator) -> Stack:
    def happens() -> bool:
        return bool(rng.random() < settings.intensity_probability)

    if happens():
        gain = 1.0 + rng.uniform(-settings.gain, settings.gain)
        signal = signal * np.float32(gain) + np.float32(
            rng.uniform(-settings.offset, settings.offset)
        )
    if happens():
        slopes = rng.uniform(-settings.shading, settings.shading, 2)
        rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in signal.shape[1:])
        signal = signal + (slopes[0] * rows[:, None] + slopes[1] * columns).astype(np.float32)
    if happens():
        sigma = rng.uniform(0.0, settings.blur)
        signal = ndimage.gaussian_filter(signal, (0, sigma, sigma), truncate=3.0)
    if happens():
        noise = rng.standard_normal(signal.shape, dtype=np.float32)
        signal = signal + np.float32(rng.uniform(0.0, settings.noise)) * noise
    return signal
