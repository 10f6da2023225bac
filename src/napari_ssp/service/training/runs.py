"""Folders of training runs: a new one for every start, and the one that can go on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from napari_ssp.registry import cache_folder
from napari_ssp.service.training.request_files import read_request
from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest

if TYPE_CHECKING:
    from pathlib import Path

#: Marks a run that has used up its time.
_ENDED = "ended"


def runs_folder() -> Path:
    """Folder of the runs that are started in the viewer."""
    return cache_folder() / "runs"


def new_run_folder(name: str, now: datetime | None = None) -> Path:
    """Folder for a run that is started now; nothing that exists is ever written into.

    Parameters
    ----------
    name : str
        Name of the model to be.
    now : datetime.datetime, optional
        Time of the start.
    """
    stem = f"{name}-{now or datetime.now():%Y%m%d-%H%M%S}"
    folder, number = runs_folder() / stem, 1
    while folder.exists():
        number += 1
        folder = runs_folder() / f"{stem}-{number}"
    return folder


def mark_ended(folder: Path) -> None:
    """Note that a run has used up its time, so that it is not offered to be continued."""
    (folder / _ENDED).touch()


def mark_failed(folder: Path) -> None:
    """Note that a run failed; one that had learned something can still be continued."""
    if folder.is_dir() and not (folder / "checkpoint.pt").exists():
        mark_ended(folder)


def last_interrupted() -> TrainRequest | TrainStructuresRequest | None:
    """Request of the newest run that was stopped, closed or killed; None without one."""
    folders = [path for path in runs_folder().glob("*") if not (path / _ENDED).exists()]
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            request = read_request(folder)
        except (OSError, ValueError):
            continue  # broken off before it began
        if isinstance(request, TrainRequest | TrainStructuresRequest):
            return request
    return None
