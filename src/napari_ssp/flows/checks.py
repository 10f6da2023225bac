"""Checks of a network's output before it is tracked, on the CPU and on a device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def host_array(values: Any) -> NDArray[np.float32]:
    """Float32 array, in the order of C, of an array or a tensor wherever it is."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().float().numpy()
    return np.ascontiguousarray(values, np.float32)


def value_range(array: NDArray[np.float32]) -> tuple[float, float]:
    """Smallest and largest value; NaN where one is NaN."""
    return (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)


def check_shapes(flows: tuple[int, ...], probability: tuple[int, ...], n_steps: int) -> None:
    """Refuse flows that do not belong to the probability, and less than one step."""
    if len(probability) not in (2, 3) or tuple(flows) != (len(probability), *probability):
        raise ValueError(
            "Flows must be (2, Y, X) and the cell probability (Y, X), or (3, Z, Y, X) and "
            f"(Z, Y, X); got {tuple(flows)} and {tuple(probability)}."
        )
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}.")


def check_values(finite_flows: bool, lowest: float, highest: float) -> None:
    """Refuse flows with NaN or infinity, and a probability outside [0, 1]."""
    bad = [] if finite_flows else ["flows"]
    bad += [] if math.isfinite(lowest) and math.isfinite(highest) else ["cell probability"]
    if bad:
        raise ValueError(
            f"The {' and the '.join(bad)} hold NaN or infinite values. "
            "Check the image for such pixels, and the model with another image."
        )
    if lowest < 0 or highest > 1:
        raise ValueError(
            f"The cell probability must lie in [0, 1], got {lowest:g} to {highest:g}. "
            "Pass a network's logits through the sigmoid first."
        )
