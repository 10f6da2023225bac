"""Requests about tracks, and what tracks are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.schema import OneOf, checked_dataclass, choice, same_choice
from napari_ssp.service.requests import Request, SegmentRequest

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.measure import Table

#: How objects of two frames are linked.
LINKINGS = ("overlap", "laptrack", "numbers")


@dataclass(frozen=True, eq=False)
class Tracks:
    """Objects followed over time.

    Attributes
    ----------
    labels : MicroscopyImage
        Uint32 labels with axes "tyx" or "tzyx" in which an object has the number of its track. A
        large array is mapped from a temporary file.
    table : dict of str to numpy.ndarray
        One row per object and frame, in the order of tracks and frames: ``track``, from 1 without
        gaps; ``parent``, the track that divided into this one, or 0; ``t``; ``label``, the
        object's number before; size and centre as `measure_objects` names them. Places are those
        in the full image, where the labels are a part of one.
    digest : str
        `digest_labels` of the labels: they may be edited, and the table is then older.
    source : str
        `digest_objects` of the labels that were followed, before the first of them was read.
    """

    labels: MicroscopyImage
    table: Table
    digest: str
    source: str

    @property
    def num_tracks(self) -> int:
        """How many tracks there are."""
        return int(self.table["track"].max(initial=0))

    @property
    def parents(self) -> dict[int, int]:
        """Tracks that began with a division, and the track that divided."""
        born = np.flatnonzero(self.table["parent"])
        tracks, parents = self.table["track"][born].tolist(), self.table["parent"][born].tolist()
        return dict(zip(tracks, parents, strict=True))


@checked_dataclass(frozen=True, kw_only=True)
class TrackChoices:
    """How objects are followed over time.

    Attributes
    ----------
    linking : str
        ``"overlap"``: an object is the one that it overlaps most in the next frame;
        ``"laptrack"``: the linking with the smallest sum of squared distances between centres, by
        the library laptrack; ``"numbers"``: objects with the same number are the same.
    link_overlap : float
        Smallest intersection over union of linked objects, for ``"overlap"``; of the mother with
        both daughters taken together, for a division.
    max_distance : float
        Greatest distance of the centres in two frames, in µm, or in pixels where the voxel size is
        unknown; for ``"laptrack"``.
    max_gap : int
        Greatest number of frames in which an object may be missing, for ``"laptrack"``.
    divisions : bool
        An object may become two, which begin tracks of their own; not for ``"numbers"``.

    Raises
    ------
    ValueError
        When a value is out of its limits.
    """

    linking: Annotated[str, OneOf(LINKINGS)] = choice(
        "overlap",
        "Linking",
        "From frame to frame: overlap, laptrack (distance and gaps; extra 'tracking'), numbers (as "
        "they are)",
    )
    link_overlap: float = same_choice(SegmentRequest, "link_overlap")
    max_distance: float = choice(
        15.0,
        "Greatest distance",
        "Greatest distance of an object in two frames, in µm (pixels where no size is known); "
        "laptrack",
        min=0.01,
        max=100_000.0,
    )
    max_gap: int = choice(
        1,
        "Greatest gap (frames)",
        "Frames in which an object may be missing; laptrack",
        min=0,
        max=100,
    )
    divisions: bool = choice(
        True, "Divisions", "An object may become two, which begin tracks of their own"
    )


@checked_dataclass(frozen=True, eq=False)
class TrackRequest(TrackChoices, Request[Tracks]):
    """Follow the objects of a label movie.

    Attributes
    ----------
    labels : MicroscopyImage
        Label image with an axis t.
    linking, link_overlap, max_distance, max_gap, divisions
        As in :class:`TrackChoices`.
    """

    labels: MicroscopyImage


@dataclass(frozen=True, eq=False)
class SaveTracksRequest(Request["Path"]):
    """Write tracks to a file of the kind that its name says; the result is its path.

    Attributes
    ----------
    path : pathlib.Path
        Ends with ".csv", ".geff", ".ome.tif" or ".ome.zarr" (labels); a name without an ending is
        a folder as in the Cell Tracking Challenge.
    tracks : Tracks
        What to write.
    overwrite : bool
        Replace what is there.
    source : MicroscopyImage or None
        The labels that were followed, as they are now: of others nothing is written.
    """

    path: Path
    tracks: Tracks
    overwrite: bool = False
    source: MicroscopyImage | None = None
