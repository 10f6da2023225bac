"""Places where a network was least sure, or a critic sees errors, to look at first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.progress import Progress
from napari_ssp.service.requests import Request
from napari_ssp.service.review.requests import Review

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.progress import Steps
    from napari_ssp.service.results import Segmentation

#: Sides of a region, in pixels, and how many of them a plane's shorter side holds at least.
_SMALLEST, _LARGEST, _PER_SIDE = 64, 256, 4
#: Length of the network's flow vectors where it is sure.
_SURE_FLOW = 5.0
_MOST = 500


@dataclass(frozen=True)
class Region:
    """Part of a plane that is worth a look.

    Attributes
    ----------
    plane : tuple of int
        Position on the axes before y and x; empty for a single plane.
    box : tuple of int
        (y0, y1, x0, x1) in pixels of the segmentation.
    doubt : float
        0 where the network was sure of every pixel, or the critic sees no error.
    """

    plane: tuple[int, ...]
    box: tuple[int, int, int, int]
    doubt: float


@dataclass(frozen=True, eq=False)
class SuggestRequest(Request[tuple[Region, ...]]):
    """Rank the regions of a segmentation, the least sure first; or of a review, the worst first.

    Attributes
    ----------
    found : Segmentation or Review
        With its flows and probability; or with its error map.
    """

    found: Segmentation | Review


def suggest_steps(request: SuggestRequest) -> Steps[tuple[Region, ...]]:
    """Rank the regions of a segmentation, the least sure first; or of a review, the worst first.

    Doubt of a review is the mean of its error map. Doubt of a segmentation is the mean over the
    region of 4 p (1 - p), which is 1 where cell and background are equally likely, and of p times
    what the flow vectors lack of their full length: where the network hesitates between two
    cells, it averages their directions.

    Flows and probability are read band by band, so that they may be larger than memory.

    Yields
    ------
    Progress
        After every plane.

    Returns
    -------
    tuple of Region
        At most 500.
    """
    found = request.found
    pixels = found.error_map if isinstance(found, Review) else found.cell_probability
    *leading, height, width = pixels.shape
    side = min(max(min(height, width) // _PER_SIDE, _SMALLEST), _LARGEST)
    rows, columns = _edges(height, side), _edges(width, side)
    planes = list(product(*(range(n) for n in leading)))
    regions: list[Region] = []
    for done, plane in enumerate(planes, 1):
        for y0, y1 in pairwise(rows):
            doubts = _doubt(found, (*plane, slice(y0, y1)))
            for x0, x1 in pairwise(columns):
                doubt = float(doubts[x0:x1].mean())
                regions.append(Region(plane, (y0, y1, x0, x1), doubt))
        yield Progress("looking for unsure regions", done, len(planes))
    regions.sort(key=lambda region: region.doubt, reverse=True)
    return tuple(regions[:_MOST])


def _edges(length: int, side: int) -> list[int]:
    """Borders of regions that divide a length evenly."""
    edges = np.linspace(0, length, max(round(length / side), 1) + 1)
    return [round(edge) for edge in edges.tolist()]


def _doubt(found: Segmentation | Review, band: tuple[Any, ...]) -> NDArray[np.float32]:
    """Doubt by column, averaged over the rows of a band."""
    if isinstance(found, Review):
        return np.asarray(np.asarray(found.error_map[band]).mean(axis=0), np.float32)
    probability = np.asarray(found.cell_probability[band], np.float32)
    flows = np.asarray(found.flows[(slice(None), *band)], np.float32)
    lack = 1.0 - np.minimum(np.sqrt((flows**2).sum(axis=0)) / _SURE_FLOW, 1.0)
    doubt = 4.0 * probability * (1.0 - probability) + probability * lack
    columns: NDArray[np.float32] = doubt.mean(axis=0)
    return columns
