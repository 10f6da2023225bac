"""Data of a training: images with labels, stacks with measured fluorescence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine.normalise import normalise
from napari_ssp.engine.scaling import median_diameter
from napari_ssp.engine.volume import RunningStatistics, Statistics
from napari_ssp.flows.diffusion import consecutive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.engine.volume import Read


#: Value of a pixel that nobody annotated.
UNKNOWN = -1
#: Bytes of images, labels and stacks that are kept in memory.
MEMORY_BUDGET = 2**31


def numbered(labels: NDArray[Any]) -> NDArray[np.int32]:
    """Labels with ids 1..n, 0 for background and -1 for unknown pixels.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers (Y, X); below 0 is unknown.
    """
    if labels.dtype.kind != "i":
        return consecutive(labels)
    unknown = labels < 0
    ids = consecutive(np.where(unknown, 0, labels))
    ids[unknown] = UNKNOWN
    return ids


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
        Int32 (Y, X), ids 1..n without gaps, 0 for background, -1 where nobody annotated.
    """

    name: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]

    @cached_property
    def typical_diameter(self) -> float | None:
        """Diameter in pixels of the disk with the median area of the objects; None without any."""
        return median_diameter([self.labels])

    @classmethod
    def from_planes(
        cls,
        name: str,
        plane: NDArray[Any],
        labels: NDArray[Any],
        nuclei: NDArray[Any] | None = None,
    ) -> LabelledImage:
        """Normalise a plane, (Y, X) or (Y, X, C), and number its objects 1..n.

        Labels below 0 become -1: not annotated. Nuclei, (Y, X), are a second channel with a range
        of its own, as prediction takes it.

        Raises
        ------
        ValueError
            When the shapes differ.
        """
        ids = numbered(labels)
        if plane.shape[:2] != ids.shape:
            raise ValueError(f"the image is {plane.shape[:2]} and its labels are {ids.shape}")
        others = () if nuclei is None else (nuclei,)
        pixels = np.round(normalise(plane, *others) * 255).astype(np.uint8)
        return cls(name, pixels[:1] if plane.ndim == 2 and not others else pixels, ids)


#: Statistics of an array that was scored before.
AS_STORED = Statistics(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class ScoredArray:
    """An array that is read with mean 0 and standard deviation 1, as prediction will see it.

    Attributes
    ----------
    read_raw : callable
        Reads a block of the array, given one slice per axis; goes to other processes.
    shape : tuple of int
        Length of each axis.
    statistics : Statistics
        Of the whole array.
    """

    read_raw: Read
    shape: tuple[int, ...]
    statistics: Statistics = AS_STORED

    @classmethod
    def of(cls, pixels: NDArray[Any]) -> ScoredArray:
        """Measure an array in memory, which keeps its own type.

        Raises
        ------
        ValueError
            When the pixels are all the same, or some are NaN or infinite.
        """
        seen = RunningStatistics()
        for plane in pixels if pixels.ndim > 2 else [pixels]:
            seen.add(plane)
        return cls(pixels.__getitem__, pixels.shape, seen.result())

    def read(self, box: tuple[slice, ...]) -> NDArray[np.float32]:
        """Part of the array, scored."""
        part = np.asarray(self.read_raw(box), np.float64)
        return ((part - self.statistics.mean) / self.statistics.deviation).astype(np.float32)


@dataclass(frozen=True, eq=False)
class StructurePair:
    """A transmitted-light stack with the fluorescence of one structure.

    Attributes
    ----------
    name : str
        For messages and scores.
    signal : ScoredArray
        Transmitted light, (Z, Y, X).
    target : ScoredArray
        Fluorescence, (Z, Y, X), or (Y, X) where only its projection along z was kept.
    task : int
        Which structure, as a position in the list of tasks.
    """

    name: str
    signal: ScoredArray
    target: ScoredArray
    task: int

    @property
    def is_projected(self) -> bool:
        """Whether the target is a projection along z."""
        return len(self.target.shape) == 2
