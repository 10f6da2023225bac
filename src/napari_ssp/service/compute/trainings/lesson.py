"""A training on its way to a worker, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_path
from napari_ssp.service.training.manifest import DATA_FILE
from napari_ssp.service.training.request_files import REQUEST_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.service.results import DataSize

#: Files of a run that each computer writes itself, since they name its own files.
_OF_HERE = (REQUEST_FILE, DATA_FILE)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a worker learns from.

    Attributes
    ----------
    request : TrainRequest or TrainStructuresRequest
        Its data and folders are names; its base is called as the worker does.
    size : DataSize
        How much the data are.
    data : dict
        Images and labels, or stacks, as they were read.
    run : dict of str to numpy.ndarray
        Files of the run that goes on, as bytes by their names; none of a new one.
    """

    request: Any
    size: DataSize
    data: dict[str, Any]
    run: dict[str, NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class Learned:
    """What a worker has learned when it ended, or was stopped.

    Attributes
    ----------
    request : TrainRequest or TrainStructuresRequest
        With batches and crops that fit the worker.
    run : dict of str to numpy.ndarray
        Files of the run.
    error : str
        Text of a parcel with what went wrong; empty where nothing did.
    """

    request: Any
    run: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    error: str = ""


def read_run(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Files of a run, without those that each computer writes itself."""
    found = (path for path in sorted(folder.glob("[!.]*")) if path.is_file())
    return {path.name: np.fromfile(path, np.uint8) for path in found if path.name not in _OF_HERE}


def write_run(run: dict[str, NDArray[np.uint8]], folder: Path) -> None:
    """Write files of a run, each as a whole or not at all.

    Raises
    ------
    ValueError
        When a name is that of a file elsewhere.
    """
    for name, content in run.items():
        if name != (folder / name).name or name.startswith(".") or name in _OF_HERE:
            raise ValueError(f"'{name}' is no file of a run.")
        with atomic_path(folder / name, overwrite=True) as temporary:
            temporary.write_bytes(content.data)
