"""Synthetic label movies whose tracks are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_ssp.image import MicroscopyImage

#: Label, then y0, y1, x0, x1 of its rectangle.
Box = tuple[int, int, int, int, int]


def movie(
    *frames: list[Box], shape: tuple[int, int] = (40, 60), voxel_size: Any = None
) -> MicroscopyImage:
    """Label movie (T, Y, X) of rectangles."""
    labels = np.zeros((len(frames), *shape), np.uint16)
    for frame, boxes in zip(labels, frames, strict=True):
        for number, y0, y1, x0, x1 in boxes:
            frame[y0:y1, x0:x1] = number
    return MicroscopyImage(labels, "tyx", voxel_size, name="movie")


def dividing() -> MicroscopyImage:
    """One that moves, one that divides after a frame, one that comes late and goes early.

    Tracks in the order of their beginnings: the mover 1, the mother 2, the daughters 3 and 4 from
    frame 2 on, the guest 5 in frame 2 only.
    """
    return movie(
        [(1, 2, 8, 2, 12), (2, 20, 30, 20, 40)],
        [(9, 3, 9, 4, 14), (7, 20, 30, 21, 41)],
        [(4, 4, 10, 6, 16), (5, 20, 30, 20, 30), (6, 20, 30, 32, 42), (8, 2, 6, 50, 54)],
        [(2, 5, 11, 8, 18), (3, 20, 30, 19, 29), (1, 20, 30, 33, 43)],
        voxel_size=(1.0, 0.5, 0.25),
    )
