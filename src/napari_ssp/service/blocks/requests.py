"""Request for a segmentation from file to file, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.service.requests import Request, SegmentRequest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class BlocksResult:
    """Labels that were written by blocks.

    Attributes
    ----------
    path : pathlib.Path
        Their Zarr.
    count : int
        How many objects there are.
    provenance : dict
        As of `Segmentation`.
    warnings : tuple of str
        What the user should know before trusting the result.
    """

    path: Path
    count: int
    provenance: dict[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SegmentZarrRequest(Request[BlocksResult]):
    """Segment an image of any size into an OME-Zarr, by blocks.

    An unfinished result of the same request goes on.

    Attributes
    ----------
    segment : SegmentRequest
        Of an image by its path.
    path : pathlib.Path
        Zarr of the labels; or a place in an image, "image.ome.zarr/labels/cells".
    overwrite : bool
        Replace a result that is there, or an unfinished one of another request.
    """

    segment: SegmentRequest
    path: Path
    overwrite: bool = False
