"""Batches of students and teachers: the same seed and step always give the same crops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_ssp.training.critic.corruptions import corrupt
from napari_ssp.training.critic.targets import cross_entropy
from napari_ssp.training.expansion.losses import LARGEST_LOSS
from napari_ssp.training.expansion.variation import Variation, vary_crop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.training.batches import Batch
    from napari_ssp.training.data import LabelledImage


@dataclass(frozen=True)
class CropSettings:
    """What crops are taken of images.

    Attributes
    ----------
    side : int
        Height and width in pixels.
    size : int
        Crops in a batch.
    seed : int
        Start of the random numbers.
    variation : Variation
        How crops are varied.
    """

    side: int = 224
    size: int = 16
    seed: int = 0
    variation: Variation = field(default_factory=Variation)


@dataclass(frozen=True)
class StudentBatches:
    """Crops of labelled images, which are shuffled anew in every pass through them.

    Attributes
    ----------
    images : sequence of LabelledImage
        Training images.
    crops : CropSettings
    """

    images: Sequence[LabelledImage]
    crops: CropSettings = field(default_factory=CropSettings)

    def __call__(self, step: int) -> Batch:
        """Images (N, 1, Y, X); truth and where it counts, of the same shape."""
        pixels, masks = draw_crops(self.images, self.crops, step)
        return (_planes(pixels),), (_planes(masks == 1), _planes(masks >= 0).bool())


@dataclass(frozen=True)
class TeacherBatches:
    """Crops of labelled images with corrupted masks, whose loss is known.

    Attributes
    ----------
    images : sequence of LabelledImage
        Training images.
    crops : CropSettings
    """

    images: Sequence[LabelledImage]
    crops: CropSettings = field(default_factory=CropSettings)

    def __call__(self, step: int) -> Batch:
        """Images and masks (N, 1, Y, X); the loss (N,) of each mask."""
        pixels, masks = draw_crops(self.images, self.crops, step)
        rng = np.random.default_rng([self.crops.seed, step, 2])
        corrupted = np.stack([corrupt(mask == 1, rng) for mask in masks])
        losses = [true_loss(*pair) for pair in zip(corrupted, masks, strict=True)]
        return (_planes(pixels), _planes(corrupted)), (torch.tensor(losses),)


@dataclass(frozen=True)
class ExpansionBatches:
    """Every batch of unlabelled crops with one of labelled ones, which come first.

    Attributes
    ----------
    images, unlabelled : sequence of LabelledImage
        Training images, and images of whose labels nothing is used.
    crops : CropSettings
        ``size`` is that of each half.
    """

    images: Sequence[LabelledImage]
    unlabelled: Sequence[LabelledImage]
    crops: CropSettings = field(default_factory=CropSettings)

    def __call__(self, step: int) -> Batch:
        """Images; what `ExpansionLoss` takes besides the logits."""
        pixels, masks = draw_crops(self.images, self.crops, step)
        others, _ = draw_crops(self.unlabelled, self.crops, step)
        together = np.concatenate([pixels, others])
        masks = np.concatenate([masks, np.full_like(masks, -1)])
        images, counted = _planes(together), _planes(masks >= 0).bool()
        labelled = torch.arange(len(together)) < len(pixels)
        return (images,), (images, _planes(masks == 1), counted, labelled)


def draw_crops(
    images: Sequence[LabelledImage], crops: CropSettings, step: int
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Crops (N, Y, X) of a step and their masks, as `vary_crop` gives them."""
    drawn = [_draw(images, crops, step * crops.size + k) for k in range(crops.size)]
    pixels, masks = zip(*drawn, strict=True)
    return np.stack(pixels), np.stack(masks)


def true_loss(mask: NDArray[np.float32], truth: NDArray[np.int8]) -> float:
    """Loss of a mask over the pixels that were annotated, 1 and 0; 0 without any."""
    counted = truth >= 0
    losses = cross_entropy(mask, truth == 1, LARGEST_LOSS)[counted]
    return float(losses.mean(dtype=np.float64)) if losses.size else 0.0


def _draw(
    images: Sequence[LabelledImage], crops: CropSettings, draw: int
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    turn, place = divmod(draw, len(images))
    order = np.random.default_rng([crops.seed, turn, 1]).permutation(len(images))
    rng = np.random.default_rng([crops.seed, draw])
    return vary_crop(images[int(order[place])], crops.side, crops.variation, rng)


def _planes(values: NDArray[np.generic]) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values[:, None], np.float32))
