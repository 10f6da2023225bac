"""Files of tracks: what a name asks for, and the writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.atomic import check_folder_target, check_target
from napari_ssp.io import write_labels
from napari_ssp.io.errors import import_extra
from napari_ssp.io.objects.tables import write_table
from napari_ssp.io.scene import is_zarr_name
from napari_ssp.io.tracks.challenge import CHALLENGE_FOLDER, challenge_steps
from napari_ssp.io.tracks.graphs import GEFF_SUFFIX, write_geff
from napari_ssp.io.writing import check_name
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.measuring import TABLE_SUFFIX, digest_labels, digest_objects

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service.tracking.requests import SaveTracksRequest

_TIFF_ENDINGS = (".tif", ".tiff")


def check_tracks_target(path: Path, overwrite: bool) -> None:
    """Refuse a name that tracks cannot be written to, before any work is done for it.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError
        As `check_target` and `check_folder_target`.
    ModuleNotFoundError
        If it needs a library that is not installed.
    ValueError
        If its ending says nothing.
    """
    ending = path.suffix.lower()
    if _is_labels(path):
        check_name(path, overwrite)
    elif ending == TABLE_SUFFIX:
        check_target(path, overwrite)
    elif ending == GEFF_SUFFIX:
        import_extra("geff", "tracking", path)
        check_folder_target(path, overwrite)
    elif ending:
        raise ValueError(
            f"'{path}' ends with '{ending}', and tracks are not written so. Name it .csv (table), "
            ".geff (graph), .ome.tif or .ome.zarr (labels), or without an ending for a folder as "
            "in the Cell Tracking Challenge."
        )
    else:
        check_folder_target(path, overwrite, CHALLENGE_FOLDER)


def save_steps(request: SaveTracksRequest) -> Steps[Path]:
    """Write tracks.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `check_tracks_target`, or if the disk is full.
    ValueError
        If the labels were changed since, or do not fit into the format.
    """
    path, tracks, overwrite = request.path, request.tracks, request.overwrite
    yield Progress(f"writing {path.name}")
    check_tracks_target(path, overwrite)
    name, source = tracks.labels.name, request.source
    if source is not None and digest_objects(source) != tracks.source:
        raise ValueError(
            f"'{name}' was changed after it was tracked, so the tracks are older than the labels. "
            "Track again, then save."
        )
    if digest_labels(tracks.labels) != tracks.digest:
        raise ValueError(
            f"The tracked labels of '{name}' were changed after they were tracked, so the tracks "
            "are older. Track these labels again, with linking 'numbers' if you numbered objects "
            "by hand, then save."
        )
    if _is_labels(path):
        return write_labels(path, tracks.labels, overwrite=overwrite)
    if path.suffix.lower() == TABLE_SUFFIX:
        return write_table(path, tracks.table, overwrite)
    if path.suffix.lower() == GEFF_SUFFIX:
        return write_geff(path, tracks.table, overwrite)
    return (yield from challenge_steps(path, tracks.labels, tracks.table, overwrite))


def _is_labels(path: Path) -> bool:
    return is_zarr_name(path) or path.suffix.lower() in _TIFF_ENDINGS
