"""Tracks made of links: chains of objects that end where they divide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari_ssp.service.tracking.linking import Links


def trace(count: int, links: Links) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give linked objects the numbers of their tracks.

    Parameters
    ----------
    count : int
        How many objects there are, in the order of time.
    links : numpy.ndarray
        Rows of objects, (links, 2): earlier and later.

    Returns
    -------
    tracks, parents : numpy.ndarray
        Int64 (count,): number of each object's track, from 1 in the order of their beginnings; and
        of the track that divided into it, or 0.
    """
    before = np.full(count, -1)
    before[links[:, 1]] = links[:, 0]
    divides = np.bincount(links[:, 0], minlength=count) > 1
    tracks, parents, known = np.zeros(count, np.int64), np.zeros(count, np.int64), 0
    for row, source in enumerate(before.tolist()):
        if source >= 0 and not divides[source]:
            tracks[row], parents[row] = tracks[source], parents[source]
            continue
        known += 1
        tracks[row], parents[row] = known, tracks[source] if source >= 0 else 0
    return tracks, parents
