"""Flows as colours: the hue is the direction, the brightness the strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The network predicts five times unit vectors.
_FULL = 5.0


def flow_colours(flows: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour each pixel by where its flow points to.

    Parameters
    ----------
    flows : numpy.ndarray
        Float (2, ...): flow_y, flow_x in the network's scale.

    Returns
    -------
    numpy.ndarray
        Uint8 (..., 3): red points right, yellow-green down, cyan left, violet up; black is still.
    """
    flow_y, flow_x = flows
    hue = (np.arctan2(flow_y, flow_x) / (2 * np.pi)) % 1.0
    strength = np.clip(np.hypot(flow_y, flow_x) / _FULL, 0.0, 1.0)
    colours = np.empty((*hue.shape, 3), np.uint8)
    for index, shift in enumerate((0.0, 4.0, 2.0)):
        ramp = np.abs((hue * 6.0 + shift) % 6.0 - 3.0) - 1.0
        colours[..., index] = np.round(255 * strength * np.clip(ramp, 0.0, 1.0))
    return colours
