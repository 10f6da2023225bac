"""What training is fed with: normalised images with their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine.normalise import normalise
from napari_ssp.flows.diffusion import consecutive

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One normalised training image.

    Attributes
    ----------
    name : str
        File name without its suffix.
    pixels : numpy.ndarray
        Uint8 (C, Y, X) with C 1 or 3: the normalised image in 256 grey levels.
    labels : numpy.ndarray
        Int32 (Y, X), ids 1..n without gaps.
    """

    name: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]

    @classmethod
    def from_planes(cls, name: str, plane: NDArray[Any], labels: NDArray[Any]) -> LabelledImage:
        """Normalise a plane, (Y, X) or (Y, X, C), and number its objects 1..n.

        Raises
        ------
        ValueError
            When the shapes differ.
        """
        ids = consecutive(labels)
        if plane.shape[:2] != ids.shape:
            raise ValueError(f"the image is {plane.shape[:2]} and its labels are {ids.shape}")
        pixels = np.round(normalise(plane) * 255).astype(np.uint8)
        return cls(name, pixels[:1] if plane.ndim == 2 else pixels, ids)
