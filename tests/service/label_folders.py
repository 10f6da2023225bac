"""Small folders of images and labels, made of discs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tifffile

if TYPE_CHECKING:
    from pathlib import Path


def write_discs(folder: Path, count: int, size: int = 80, seed: int = 0) -> Path:
    """Write ``count`` images of bright discs with their labels."""
    rng = np.random.default_rng(seed)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:size, :size]
    for k in range(count):
        labels = np.zeros((size, size), np.int32)
        centres = [(cy, cx) for cy in range(12, size - 8, 20) for cx in range(12, size - 8, 20)]
        for identity, (cy, cx) in enumerate(centres, 1):
            radius = int(rng.integers(4, 8))
            labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = identity
        image = (labels > 0) * 150 + rng.integers(0, 40, labels.shape)
        tifffile.imwrite(folder / "images" / f"im{k}.tif", image.astype(np.uint8))
        tifffile.imwrite(folder / "labels" / f"im{k}_label.tif", labels)
    return folder
