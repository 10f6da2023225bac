"""The functions that read and write the kept files, where no public name of the package does.

Only this file knows in which modules they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service import TrainRequest, TrainStructuresRequest


def trusts(sha256: str) -> bool:
    """Whether somebody has agreed to run a program."""
    from napari_ssp.registry.trust import is_trusted

    return is_trusted(sha256)


def download_headers(path: Path, url: str) -> tuple[dict[str, str], int | None]:
    """What a server is asked for to go on with a download, and the length that it said."""
    from napari_ssp.registry.transfer.partial_file import PartialFile

    part = PartialFile(path, url)
    return part.headers(), part.total


def flatten(request: TrainRequest) -> dict[str, Any]:
    """JSON-ready values of a request."""
    from napari_ssp.schema import flatten

    return flatten(request)


def restore(kind: type[TrainRequest], values: dict[str, Any]) -> TrainRequest:
    """Request of what `flatten` gave."""
    from napari_ssp.schema import restore

    return restore(kind, values)


def read_request(folder: Path) -> TrainRequest | TrainStructuresRequest:
    """Request of a run's folder."""
    from napari_ssp.service.training.request_files import read_request

    return read_request(folder)


def write_request(request: TrainRequest | TrainStructuresRequest) -> Path:
    """Write ``request.json`` into the run's folder."""
    from napari_ssp.service.training.request_files import write_request

    write_request(request)
    return request.output / "request.json"


def last_interrupted() -> TrainRequest | TrainStructuresRequest | None:
    """Request of the newest run in the cache that can go on."""
    from napari_ssp.service.training.runs import last_interrupted

    return last_interrupted()


def read_recipe(name: str) -> dict[str, Any]:
    """Values of a configuration, by its name or path."""
    from napari_ssp.service.training.recipes import read_recipe

    return read_recipe(name)


def recipe_names() -> tuple[str, ...]:
    """Names of the configurations that are shipped."""
    from napari_ssp.service.training.recipes import recipe_names

    return recipe_names()


def training_set(folder: Path, kind: str) -> Any:
    """Folder of pairs that the Train dock collects."""
    from napari_ssp.service.annotation.training_set import TrainingSet

    return TrainingSet(folder, kind)


def prepared_volumes(folder: Path) -> Any:
    """What ``napari-ssp data prepare structures`` wrote."""
    from napari_ssp.training.structures.volumes import PreparedVolumes

    return PreparedVolumes(folder)


def read_tables(folder: Path) -> dict[str, list[Any]]:
    """Rows of the tables of a collection."""
    from napari_ssp.datasets.tables import read_tables

    return read_tables([folder])


def checkpoint(folder: Path, name: str = "checkpoint.pt") -> dict[str, Any] | None:
    """State of a run, executing nothing."""
    from napari_ssp.training.records import load_state

    return load_state(folder / name)
