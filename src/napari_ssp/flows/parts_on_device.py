"""Connected parts of masks by torch; pixels touch over faces, images of a batch do not touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def flip_small(mask: Tensor, value: bool, below: int) -> Tensor:
    """Turn over connected parts of ``value`` with fewer than ``below`` pixels; mask (N, ...)."""
    chosen = mask == value
    parts = label_parts(chosen)
    small = torch.bincount(parts, minlength=mask.numel())[parts] < below
    return mask ^ (small.reshape(mask.shape) & chosen)


def fill_holes(labels: Tensor, below: int) -> Tensor:
    """Fill holes of fewer than ``below`` pixels that a single object surrounds; labels (N, ...)."""
    empty = labels == 0
    parts = label_parts(empty)
    size = torch.bincount(parts, minlength=labels.numel())
    lowest = torch.full_like(size, torch.iinfo(torch.int64).max)
    highest = torch.zeros_like(size)
    border = torch.zeros_like(size, dtype=torch.bool)
    numbers = parts.reshape(labels.shape)
    for axis in range(1, labels.ndim):
        length = labels.shape[axis]
        for edge in (0, length - 1):
            border[numbers.select(axis, edge).reshape(-1)] = True
        for here, there in ((0, 1), (1, 0)):
            hole = numbers.narrow(axis, here, length - 1)
            beside = labels.narrow(axis, there, length - 1)
            meets = empty.narrow(axis, here, length - 1) & (beside > 0)
            lowest.scatter_reduce_(0, hole[meets], beside[meets], "amin")
            highest.scatter_reduce_(0, hole[meets], beside[meets], "amax")
    fills = (size < below) & ~border & (lowest == highest)
    owner = torch.where(fills, highest, 0)[numbers]
    return torch.where(empty, owner, labels)


def label_parts(mask: Tensor) -> Tensor:
    """Give every pixel the flat number of one pixel of its part, the same for the whole part.

    Parts hook onto the lowest neighbour and ways to it are halved, until nothing changes: a number
    of rounds that grows with the logarithm of the longest way.
    """
    parent = torch.arange(mask.numel(), device=mask.device)
    numbers = parent.reshape(mask.shape)
    pairs = []
    for axis in range(1, mask.ndim):
        length = mask.shape[axis] - 1
        both = mask.narrow(axis, 0, length) & mask.narrow(axis, 1, length)
        pairs.append(
            torch.stack(
                [numbers.narrow(axis, 0, length)[both], numbers.narrow(axis, 1, length)[both]]
            )
        )
    one, other = torch.cat(pairs, dim=1)
    while True:
        a, b = parent[one], parent[other]
        lower = torch.minimum(a, b)
        new = parent.scatter_reduce(0, torch.maximum(a, b), lower, "amin")
        new = new[new]
        new = new[new]
        if torch.equal(new, parent):
            return parent
        parent = new
