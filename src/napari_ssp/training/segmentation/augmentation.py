"""MEDIAR's augmentations for segmentation: geometry first, then cells, then the whole image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

from napari_ssp.training.data import numbered

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
    zoom_range : tuple of float
        Crops are magnified by ``zoom`` times a number from this range, evenly in the logarithm.
    zoom_probability : float
        Chance of that.
    size_range : tuple of float or None
        Diameters in pixels, as the network sees them, beyond which an image's typical object is not
        magnified; None sets no limit.
    object_probability : float
        Chance that a place without objects is drawn again.
    turns : bool
        Whether crops are mirrored and turned by quarters.
    intensity_probability : float
        Chance of each of noise, contrast, smoothing and histogram shift.
    sharpening_probability : float
        Chance of sharpening.
    gamma, blur : tuple of float
        Ranges of the contrast's exponent and of the smoothing in pixels.
    cell_probability, cell_share, cell_gain : float
        Chance that cells are brightened, the share of the cells, and by how much at most.
    colour_probability, inversion_probability : float
        Chance that the channels of a coloured image are exchanged or become grey, and that an image
        becomes its negative.
    """

    crop: int = 256
    zoom: float = 1.0
    zoom_range: tuple[float, float] = (1 / 1.5, 1.5)
    zoom_probability: float = 1.0
    size_range: tuple[float, float] | None = None
    object_probability: float = 0.0
    turns: bool = True
    intensity_probability: float = 0.15
    sharpening_probability: float = 0.075
    gamma: tuple[float, float] = (0.5, 2.0)
    blur: tuple[float, float] = (0.5, 1.5)
    cell_probability: float = 0.5
    cell_share: float = 0.4
    cell_gain: float = 0.7
    colour_probability: float = 0.0
    inversion_probability: float = 0.0


#: Strengths by name, from nothing to the published one.
STRENGTHS: dict[str, AugmentationSettings] = {
    "none": AugmentationSettings(
        zoom_probability=0.0,
        turns=False,
        intensity_probability=0.0,
        sharpening_probability=0.0,
        cell_probability=0.0,
    ),
    "turns": AugmentationSettings(
        zoom_probability=0.0,
        intensity_probability=0.0,
        sharpening_probability=0.0,
        cell_probability=0.0,
    ),
    "light": AugmentationSettings(
        zoom_range=(1 / 1.15, 1.15),
        intensity_probability=0.05,
        sharpening_probability=0.025,
        gamma=(0.8, 1.25),
        cell_gain=0.3,
    ),
    "standard": AugmentationSettings(),
    "mediar": AugmentationSettings(
        zoom_range=(0.25, 1.5),
        zoom_probability=0.5,
        intensity_probability=0.25,
        sharpening_probability=0.25,
        gamma=(1.0, 2.0),
        blur=(1.0, 2.0),
        cell_probability=1.0,
    ),
    # For a model of many kinds, which is told neither the size nor the stain of what it sees.
    "wide": AugmentationSettings(
        zoom_range=(1 / 3, 2.0),
        size_range=(10.0, 220.0),
        object_probability=0.75,
        colour_probability=0.3,
        inversion_probability=0.1,
    ),
}

#: Draws of a crop that shows something annotated, and the least share of it.
_DRAWS, _ANNOTATED = 8, 0.02


def augment_crop(
    image: LabelledImage, settings: AugmentationSettings, rng: np.random.Generator
) -> Pair:
    """Random crop of an image and its labels.

    Returns
    -------
    tuple of numpy.ndarray
        Float32 (3, crop, crop) about [0, 1], and int32 (crop, crop) with ids 1..n, 0 and -1.
    """
    pixels, labels = _cut(image, settings, rng)
    if settings.turns:
        pixels, labels = _flip_and_turn(pixels, labels, rng)
    labels = numbered(labels)
    if rng.random() < settings.cell_probability:
        pixels = _brighten_cells(pixels, labels, settings, rng)
    if np.ptp(pixels) > 0:  # MONAI warns of the histogram of a blank crop
        pixels = np.asarray(_intensity(settings, rng)(pixels), np.float32)
    three = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    return np.ascontiguousarray(three), labels


def _cut(
    image: LabelledImage, settings: AugmentationSettings, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Crop at a random magnification; what lies outside the image is zero, as in prediction."""
    crop, zoom = settings.crop, settings.zoom
    if rng.random() < settings.zoom_probability:
        zoom *= float(np.exp(rng.uniform(*np.log(_zoom_range(image, settings)))))
    side = max(1, round(crop / zoom))
    wanted = settings.object_probability > 0 and rng.random() < settings.object_probability
    box, margin = _place(image.labels, side, rng, wanted)
    shown = image.pixels[(slice(None), *box)].astype(np.float32) / np.float32(255)
    pixels = np.pad(_recolour(shown, settings, rng), ((0, 0), *margin))
    labels = np.pad(image.labels[box], margin)
    if side == crop:
        return pixels, labels
    shape = (crop, crop)
    zoomed = np.stack([resize(c, shape, order=1, anti_aliasing=zoom < 1) for c in pixels])
    rows = np.minimum(((np.arange(crop) + 0.5) * side / crop).astype(int), side - 1)
    return zoomed.astype(np.float32), labels[np.ix_(rows, rows)]


def _zoom_range(image: LabelledImage, settings: AugmentationSettings) -> tuple[float, float]:
    """Factors that an image is magnified by, besides the zoom."""
    low, high = settings.zoom_range
    across = image.typical_diameter
    if settings.size_range is None or across is None:
        return low, high
    smallest, largest = (size / (across * settings.zoom) for size in settings.size_range)
    return min(max(low, smallest), largest), max(min(high, largest), smallest)


def _recolour(
    pixels: NDArray[np.float32], settings: AugmentationSettings, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Other colours, or their negative; of what lies in the image, for its surround is black."""
    if (
        len(pixels) > 1
        and settings.colour_probability
        and rng.random() < settings.colour_probability
    ):
        grey = pixels.mean(axis=0, keepdims=True)
        exchanged = pixels[rng.permutation(len(pixels))]
        pixels = exchanged if rng.random() < 0.5 else grey / max(float(grey.max()), 1e-6)
    if settings.inversion_probability and rng.random() < settings.inversion_probability:
        pixels = np.float32(1) - pixels
    return pixels


def _place(
    labels: NDArray[np.int32], side: int, rng: np.random.Generator, objects: bool = False
) -> tuple[Any, Any]:
    """Box of a crop and its margins outside the image; something in it should be annotated.

    With ``objects`` an object should be.
    """
    height, width = labels.shape
    for _ in range(_DRAWS):
        y0, x0 = _start(height, side, rng), _start(width, side, rng)
        box = np.s_[max(y0, 0) : y0 + side, max(x0, 0) : x0 + side]
        seen = labels[box]
        if (seen >= 0).mean() >= _ANNOTATED and not (objects and seen.max() <= 0):
            break
    margin = (
        (max(-y0, 0), max(y0 + side - height, 0)),
        (max(-x0, 0), max(x0 + side - width, 0)),
    )
    return box, margin


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
    count = max(0, int(labels.max()))
    chosen = rng.choice(np.arange(1, count + 1), int(settings.cell_share * count), replace=False)
    gain = np.ones(count + 1, np.float32)
    gain[chosen] = 1.0 + rng.uniform(0.0, settings.cell_gain)
    return pixels * gain[np.maximum(labels, 0)]


def _intensity(settings: AugmentationSettings, rng: np.random.Generator) -> Compose:
    chance = settings.intensity_probability
    compose = Compose(
        [
            RandGaussianNoise(prob=chance, mean=0.0, std=0.1),
            RandAdjustContrast(prob=chance, gamma=settings.gamma),
            RandGaussianSmooth(prob=chance, sigma_x=settings.blur, sigma_y=settings.blur),
            RandHistogramShift(prob=chance, num_control_points=3),
            RandGaussianSharpen(prob=settings.sharpening_probability),
        ]
    )
    compose.set_random_state(seed=int(rng.integers(2**31)))
    return compose
