"""Flat pixel numbers of a batch of images, as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Pixels of a batch of images (N, Y, X) or (N, Z, Y, X), by flat numbers."""

    shape: tuple[int, ...]

    @property
    def axes(self) -> int:
        """Axes of one image."""
        return len(self.shape) - 1

    @property
    def pixels(self) -> int:
        """Pixels of one image."""
        return prod(self.shape[1:])

    def places(self, flat: Tensor) -> Tensor:
        """Coordinates (n, axes) inside their image."""
        columns = []
        for size in reversed(self.shape[1:]):
            columns.append(flat % size)
            flat = flat // size
        return torch.stack(columns[::-1], dim=1)

    def flat(self, image: Tensor, places: Tensor) -> Tensor:
        """Flat numbers of coordinates (..., axes)."""
        number = image
        for axis, size in enumerate(self.shape[1:]):
            number = number * size + places[..., axis]
        return number

    def contains(self, places: Tensor) -> Tensor:
        """Whether coordinates (..., axes) lie in the image."""
        size = torch.tensor(self.shape[1:], device=places.device)
        return ((places >= 0) & (places < size)).all(dim=-1)
