"""Request for cells and their nuclei, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.service.requests import Request, SegmentRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_ssp.measure import Table
    from napari_ssp.service.results import Segmentation

#: Choices that have to be the same for cells and nuclei, which are to cover the same pixels.
_SHARED = ("scene", "missing", "axes", "voxel_size", "region", "plane", "stacks")


@dataclass(frozen=True)
class Tally:
    """How many cells and nuclei there are; of movies the sum over all frames.

    Attributes
    ----------
    cells, without_nucleus, with_several : int
        All cells, and how many of them have no nucleus, and more than one.
    nuclei, outside : int
        All nuclei, and how many lie outside every cell by their larger part; those are left out.
    mostly_nucleus : int
        How many cells are nucleus by more than half.
    """

    cells: int
    without_nucleus: int
    with_several: int
    nuclei: int
    outside: int
    mostly_nucleus: int

    def warnings(self) -> Iterator[str]:
        """Say what a person should look at."""
        if self.without_nucleus:
            yield f"{self.without_nucleus} of {_count(self.cells, 'cell')} without a nucleus."
        if self.with_several:
            yield f"{self.with_several} of {_count(self.cells, 'cell')} with several nuclei."
        if self.outside:
            yield (
                f"{self.outside} of {_count(self.nuclei, 'nucleus', 'nuclei')} left out: the "
                "larger part lies outside every cell."
            )
        if 2 * self.mostly_nucleus > self.cells:
            yield (
                "Most cells are hardly larger than their nuclei: their model may have followed the "
                "nuclei. Compare with cells by their channel alone, or by another model."
            )


@dataclass(frozen=True, eq=False)
class Compartments:
    """Cells with their nuclei and cytoplasm; the three have the same numbers.

    Attributes
    ----------
    cells : Segmentation
        The cells as they were found.
    nuclei : Segmentation
        Their nuclei: each has the number of its cell, and is clipped to it. Several nuclei of a
        cell have the same number. Flows and probability are those of the run for nuclei.
    cytoplasm : numpy.ndarray
        Uint32, axes as of both: the cells without their nuclei.
    table : dict of str to numpy.ndarray
        The cells as `napari_ssp.measure.measure_objects` measures them with their nuclei.
    tally : Tally
        How many there are.
    """

    cells: Segmentation
    nuclei: Segmentation
    cytoplasm: NDArray[np.uint32]
    table: Table
    tally: Tally

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before trusting the result."""
        return self.cells.warnings

    @property
    def provenance(self) -> dict[str, Any]:
        """JSON-ready record of the run for cells, with that for "nuclei" and the tally in it."""
        return self.cells.provenance

    @property
    def labels(self) -> dict[str, NDArray[np.uint32]]:
        """Label arrays by their names: cells, nuclei, cytoplasm."""
        found = {"cells": self.cells.labels, "nuclei": self.nuclei.labels}
        return {**found, "cytoplasm": self.cytoplasm}


@dataclass(frozen=True, eq=False)
class CompartmentsRequest(Request[Compartments]):
    """Segment cells and their nuclei in one image.

    Attributes
    ----------
    cells : SegmentRequest
        How cells are found, in their channel alone or with the nuclei as a second one.
    nuclei : SegmentRequest
        How nuclei are found in the same image.

    Raises
    ------
    ValueError
        When they are not of the same pixels, or a structure is to be predicted first.
    """

    cells: SegmentRequest
    nuclei: SegmentRequest

    def __post_init__(self) -> None:
        """Refuse two requests whose results do not lie on each other."""
        one, other = self.cells.image, self.nuclei.image
        is_file = isinstance(one, str | Path)
        if one is not other and not (is_file and str(one) == str(other)):
            raise ValueError("Cells and nuclei are found in one image, but two were given.")
        for name in _SHARED:
            of_cells, of_nuclei = getattr(self.cells, name), getattr(self.nuclei, name)
            if of_cells != of_nuclei:
                raise ValueError(
                    f"Cells and nuclei need the same pixels, but '{name}' is {of_cells} for the "
                    f"cells and {of_nuclei} for the nuclei. Give the same for both."
                )
        if self.cells.through or self.nuclei.through:
            raise ValueError(
                "Cells and nuclei are found in the image itself: predict the structure first, and "
                "give its image as a channel."
            )

    @property
    def image(self) -> Any:
        """What both are found in."""
        return self.cells.image

    def provenance(self) -> dict[str, Any]:
        """JSON-ready values of both requests."""
        return {name: getattr(self, name).provenance() for name in ("cells", "nuclei")}


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
