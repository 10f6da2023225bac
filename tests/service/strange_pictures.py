"""Pictures of kinds that ``mediar-starter`` does not know and ``generalist-starter`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_dark_rods() -> NDArray[np.float32]:
    """Twelve dark rods (160, 160), as of bacteria in phase contrast."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:160, :160]
    pixels = np.full((160, 160), 120.0)
    for k in range(12):
        angle = rng.uniform(0, np.pi)
        dy, dx = y - 25 - 36 * (k // 3), x - 30 - 50 * (k % 3)
        along = dy * np.sin(angle) + dx * np.cos(angle)
        across = dy * np.cos(angle) - dx * np.sin(angle)
        pixels -= 60 / (1 + np.exp(2 * (np.maximum(np.abs(along) - 12, np.abs(across) - 4))))
    return (pixels + rng.normal(0, 2, pixels.shape)).astype(np.float32)


def draw_membranes() -> NDArray[np.float32]:
    """Bright membranes of fifteen cells (160, 160), as of an epithelium."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 160, (15, 2))
    y, x = np.mgrid[:160, :160]
    distances = np.hypot(y[..., None] - centres[:, 0], x[..., None] - centres[:, 1])
    nearest, next_nearest, *_ = np.moveaxis(np.sort(distances), -1, 0)
    pixels = 10 + 180 * np.exp(-(((next_nearest - nearest) / 4) ** 2))
    return (pixels + rng.normal(0, 3, pixels.shape)).astype(np.float32)
