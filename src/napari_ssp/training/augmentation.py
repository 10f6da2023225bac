"""MEDIAR's augmentations for segmentation: geometry first, then cells, then the whole image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from monai.transforms import (
    Compose,
    RandAdjustContrast,
    RandGaussianNoise,
    RandGaussianSharpen,
    RandGaussianSmooth,
    RandHistogramShift,
)
from numpy.typing import NDArray
from skimage.transform import resize

from napari_ssp.flows.diffusion import consecutive

if TYPE_CHECKING:
    from napari_ssp.training.data import LabelledImage

Pair = tuple[NDArray[np.float32], NDArray[np.int32]]


@dataclass(frozen=True)
class AugmentationSettings:
    """How strongly crops are varied.

    Attributes
    ----------
    crop : int
        Height and width of a crop, in pixels.
    zoom : float
        Magnification at which the network will see images.
    zoom_spread : float
        Crops are magnified by ``zoom`` divided to multiplied by this, evenly in the logarithm.
    intensity_probability : float
        Chance of each of noise, contrast, smoothing, histogram shift and sharpening.
    cell_share, cell_gain : float
        Share of the cells that are brightened, and by how much at most.
    """

    crop: int = 256
    zoom: float = 1.0
    zoom_spread: float = 1.5
    intensity_probability: float = 0.15
    cell_share: float = 0.4
    cell_gain: float = 0.7


def augmented_crop(
    image: LabelledImage, settings: AugmentationSettings, rng: np.random.Generator
) -> Pair:
    """Random crop of an image and its labels.

    Returns
    -------
    tuple of numpy.ndarray
        Float32 (3, crop, crop) about [0, 1], and int32 (crop, crop) with ids 1..n.
    """
    pixels, labels = _cut(image, settings, rng)
    pixels, labels = _flip_and_turn(pixels, labels, rng)
    labels = consecutive(labels)
    if rng.random() < 0.5:
        pixels = _brighten_cells(pixels, labels, settings, rng)
    if np.ptp(pixels) > 0:  # MONAI warns of the histogram of a blank crop
        pixels = np.asarray(_intensity(settings, rng)(pixels), np.float32)
    three = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    return np.ascontiguousarray(three), labels


def _cut(
    image: LabelledImage, settings: AugmentationSettings, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Crop at a random magnification; what lies outside the image is zero, as in prediction."""
    crop = settings.crop
    zoom = settings.zoom * settings.zoom_spread ** rng.uniform(-1.0, 1.0)
    side = max(1, round(crop / zoom))
    height, width = image.labels.shape
    y0, x0 = _start(height, side, rng), _start(width, side, rng)
    box = np.s_[max(y0, 0) : y0 + side, max(x0, 0) : x0 + side]
    margin = (
        (max(-y0, 0), max(y0 + side - height, 0)),
        (max(-x0, 0), max(x0 + side - width, 0)),
    )
    padded = np.pad(image.pixels[(slice(None), *box)], ((0, 0), *margin))
    pixels = padded.astype(np.float32) / np.float32(255)
    labels = np.pad(image.labels[box], margin)
    if side == crop:
        return pixels, labels
    shape = (crop, crop)
    zoomed = np.stack([resize(c, shape, order=1, anti_aliasing=zoom < 1) for c in pixels])
    rows = np.minimum(((np.arange(crop) + 0.5) * side / crop).astype(int), side - 1)
    return zoomed.astype(np.float32), labels[np.ix_(rows, rows)]


def _start(length: int, side: int, rng: np.random.Generator) -> int:
    if length <= side:
        return -((side - length) // 2)
    return int(rng.integers(0, length - side + 1))


def _flip_and_turn(
    pixels: NDArray[np.float32], labels: NDArray[np.int32], rng: np.random.Generator
) -> Pair:
    quarter, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    pixels, labels = np.rot90(pixels, quarter, (1, 2)), np.rot90(labels, quarter)
    if mirrored:
        pixels, labels = pixels[:, :, ::-1], labels[:, ::-1]
    return np.ascontiguousarray(pixels), np.ascontiguousarray(labels)


def _brighten_cells(
    pixels: NDArray[np.float32],
    labels: NDArray[np.int32],
    settings: AugmentationSettings,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Cell-aware intensity: some of the cells 1..n get one common gain (the original skips n)."""
    count = int(labels.max())
    chosen = rng.choice(np.arange(1, count + 1), int(settings.cell_share * count), replace=False)
    gain = np.ones(count + 1, np.float32)
    gain[chosen] = 1.0 + rng.uniform(0.0, settings.cell_gain)
    return pixels * gain[labels]


def _intensity(settings: AugmentationSettings, rng: np.random.Generator) -> Compose:
    chance = settings.intensity_probability
    compose = Compose(
        [
            RandGaussianNoise(prob=chance, mean=0.0, std=0.1),
            RandAdjustContrast(prob=chance, gamma=(0.5, 2.0)),
            RandGaussianSmooth(prob=chance, sigma_x=(0.5, 1.5), sigma_y=(0.5, 1.5)),
            RandHistogramShift(prob=chance, num_control_points=3),
            RandGaussianSharpen(prob=chance / 2),
        ]
    )
    compose.set_random_state(seed=int(rng.integers(2**31)))
    return compose
