"""Compiled tables of ids: how large they are, and what they become."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.flows.jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@jit
def pixel_counts(labels: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Pixels of the ids 0..count."""
    counts = np.zeros(count + 1, np.int64)
    for label in labels.reshape(-1):
        counts[label] += 1
    return counts


@jit
def renumber(labels: NDArray[np.int32], table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Replace every id by its entry of the table."""
    result = np.empty(labels.shape, np.int32)
    old, new = labels.reshape(-1), result.reshape(-1)
    for k in range(len(old)):
        new[k] = table[old[k]]
    return result
