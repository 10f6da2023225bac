"""Images of bright disks in noise with their masks, and a network that is small enough for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from napari_ssp.training.data import LabelledImage

SIDE = 32


def disks(seed: int, labelled: bool = True) -> LabelledImage:
    """Image of 32 x 32 pixels with one or two disks."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), bool)
    for _ in range(2):
        cy, cx = rng.uniform(6, SIDE - 6, 2)
        mask |= (y - cy) ** 2 + (x - cx) ** 2 < rng.uniform(3, 6) ** 2
    pixels = np.clip(rng.normal(70 + 90 * mask, 30), 0, 255).astype(np.uint8)
    labels = mask.astype(np.int32) if labelled else np.full(mask.shape, -1, np.int32)
    return LabelledImage(str(seed), pixels[None], labels)


def small_student() -> nn.Module:
    """Two convolutions, untrained."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 1, 1),
    )
