"""Writer of tracked labels as the Cell Tracking Challenge (CTC) has them: masks and a list."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tifffile import imwrite

from napari_ssp.atomic import FolderKind, atomic_folder
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from napari_ssp.image import MicroscopyImage

    Table = Mapping[str, npt.NDArray[Any]]

#: Name of the list of tracks: label, first frame, last frame, parent.
LIST_NAME = "res_track.txt"
_OURS = re.compile(rf"mask\d+\.tif|{re.escape(LIST_NAME)}")
_MOST_TRACKS = 2**16 - 1


class _Stretch(NamedTuple):
    """A part of a track without a gap, as a line of the list."""

    label: int
    begin: int
    end: int
    parent: int


def _holds_only_tracks(path: Path) -> bool:
    return path.is_dir() and all(_OURS.fullmatch(each.name) for each in path.iterdir())


#: Such a folder; one that holds anything else is not replaced.
CHALLENGE_FOLDER = FolderKind("folder of tracks and nothing else", _holds_only_tracks)


def challenge_steps(
    path: Path, labels: MicroscopyImage, table: Table, overwrite: bool = False
) -> Steps[Path]:
    """Write a folder of tracked labels.

    Parameters
    ----------
    path : pathlib.Path
        Name of the folder, e.g. "01_RES".
    labels : MicroscopyImage
        Labels with axes "tyx" or "tzyx" in which an object has the number of its track.
    table : mapping
        Columns ``track``, ``parent`` and ``t`` of the labels' objects.
    overwrite : bool
        Replace a folder that holds tracks and nothing else.

    Yields
    ------
    Progress
        Once per frame.

    Returns
    -------
    pathlib.Path
        The folder: "mask000.tif" ..., uint16, one per frame from 0; and "res_track.txt" with a
        line "L B E P" per track. The format knows no gaps: what comes after one is a track of its
        own whose parent is the part before.

    Raises
    ------
    FileExistsError, FileNotFoundError, PermissionError, OSError
        As `napari_ssp.atomic.atomic_folder`.
    ValueError
        If there are more than 65,535 tracks.
    """
    frames = table["t"] - labels.origin[0]
    names, stretches = _cut_at_gaps(table["track"], frames, table["parent"])
    if len(stretches) > _MOST_TRACKS:
        raise ValueError(
            f"There are {len(stretches)} tracks, but masks of the Cell Tracking Challenge are "
            f"uint16 and hold {_MOST_TRACKS} at most. Write a GEFF, a CSV, or a part of the movie."
        )
    count = labels.sizes["t"]
    digits = max(3, len(str(count - 1)))
    with atomic_folder(path, overwrite, CHALLENGE_FOLDER) as folder:
        for frame in range(count):
            yield Progress(f"writing {path.name}", frame, count)
            rows = frames == frame
            lookup = np.zeros(table["track"].max(initial=0) + 1, np.uint16)
            lookup[table["track"][rows]] = names[rows]
            mask = lookup[np.asarray(labels.data[frame])]
            name = f"mask{frame:0{digits}}.tif"
            imwrite(folder / name, mask, photometric="minisblack", compression="zlib")
        lines = [" ".join(map(str, stretch)) for stretch in stretches]
        text = "".join(f"{line}\n" for line in lines)
        (folder / LIST_NAME).write_text(text, encoding="ascii", newline="\n")
    return path


def _cut_at_gaps(
    tracks: npt.NDArray[Any], frames: npt.NDArray[Any], parents: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], list[_Stretch]]:
    """Label of each object, and the stretches; the first of a track has the track's number."""
    names = np.zeros(len(tracks), np.int64)
    found: list[_Stretch] = []
    latest: dict[int, int] = {}
    more = int(tracks.max(initial=0))
    begins = np.flatnonzero((np.diff(tracks, prepend=0) != 0) | (np.diff(frames, prepend=-2) != 1))
    for begin, stop in pairwise([*begins.tolist(), len(tracks)]):
        track = int(tracks[begin])
        if track in latest:
            more += 1
            label, parent = more, latest[track]
        else:
            label, parent = track, latest.get(int(parents[begin]), 0)
        names[begin:stop], latest[track] = label, label
        found.append(_Stretch(label, int(frames[begin]), int(frames[stop - 1]), parent))
    return names, sorted(found)
