"""Depth of the crops of stacks, chosen without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: RepMode halves its input four times.
STRIDE = 16


def choose_depth(depth: int, planes: Iterable[int]) -> int:
    """Depth of a crop that is not deeper than the deepest stack needs, in multiples of 16.

    Parameters
    ----------
    depth : int
        What was asked for.
    planes : iterable of int
        Planes of each stack; of none, nothing is known.
    """
    deepest = max(planes, default=depth)
    return min(depth, deepest + -deepest % STRIDE)
