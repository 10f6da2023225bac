"""Three-dimensional flows from a two-dimensional network that saw a volume from three sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def combine_orthogonal_flows(
    yx: ArrayLike, zx: ArrayLike, zy: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Put together what a network says of the planes of three orientations.

    All three are on one grid (Z, Y, X) whose voxels are cubes: with an anisotropy (spacing of the
    planes over the size of a pixel) the volume is resampled before the network sees it. The vectors
    are not of unit length, so that a flow check does not suit them: track them with a flow
    threshold of None.

    Parameters
    ----------
    yx : array_like
        Float (3, Z, Y, X) of the planes along z: flow_y, flow_x, cell logit.
    zx : array_like
        Float (3, Z, Y, X) of the planes along y: flow_z, flow_x, cell logit.
    zy : array_like
        Float (3, Z, Y, X) of the planes along x: flow_z, flow_y, cell logit.

    Returns
    -------
    flows : numpy.ndarray
        Float32 (3, Z, Y, X): flow_z, flow_y, flow_x, each the mean of the two that see it.
    probability : numpy.ndarray
        Float32 (Z, Y, X) in [0, 1], that one side at least is right to see a cell: each misses
        some, most of all through planes that are far apart.

    Raises
    ------
    ValueError
        When the three do not have the same shape (3, Z, Y, X).
    """
    a, b, c = (np.asarray(part, np.float32) for part in (yx, zx, zy))
    if not a.shape == b.shape == c.shape or a.ndim != 4 or len(a) != 3:
        raise ValueError(
            "The three orientations must all be (3, Z, Y, X) on the same grid, got "
            f"{a.shape}, {b.shape} and {c.shape}. Turn each back to z, y, x first."
        )
    flows = np.stack([b[0] + c[0], a[0] + c[1], a[1] + b[1]]) / np.float32(2)
    missed = expit(-a[2]) * expit(-b[2]) * expit(-c[2])
    return np.asarray(flows, np.float32), np.float32(1) - missed
