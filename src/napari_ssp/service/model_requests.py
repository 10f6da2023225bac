"""Requests about models themselves: get them, take them in, look after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.registry import (
    ModelCard,
    Verdict,
    add_catalogue,
    download_steps,
    export_steps,
    import_steps,
    verify_steps,
)
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.progress import Steps


@dataclass(frozen=True)
class DownloadModelRequest(Request[ModelCard]):
    """Download a model of a catalogue; the result is its card.

    Attributes
    ----------
    name : str
        Name of the model; of an ensemble, its members are downloaded.
    mirrors : tuple of str
        Addresses of the same file that are tried first.
    """

    name: str
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportModelRequest(Request[ModelCard]):
    """Import a model from a file or folder; the result is its card.

    Attributes
    ----------
    path : pathlib.Path
        What to import, see :func:`napari_ssp.registry.import_checkpoint`.
    name : str or None
        Name of the model; None takes the card's, or the file's.
    overwrite : bool
        Replace a model of the user's that has this name.
    trusted : bool
        Agree to run the program of a package that has its network as TorchScript.
    """

    path: Path
    name: str | None = None
    overwrite: bool = False
    trusted: bool = False


@dataclass(frozen=True)
class ExportModelRequest(Request["Path"]):
    """Write a model into one file; the result is its path.

    Attributes
    ----------
    model : str
        Name, or folder.
    path : pathlib.Path
        File to write, ending in ``.zip``.
    overwrite : bool
        Replace a file of that name.
    """

    model: str
    path: Path
    overwrite: bool = False


@dataclass(frozen=True)
class VerifyModelsRequest(Request[list[Verdict]]):
    """Compute digests of installed weights again; the result is a list of verdicts.

    Attributes
    ----------
    models : tuple of str
        Names or folders; none means all.
    """

    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class AddCatalogueRequest(Request[list[ModelCard]]):
    """Add a lab's catalogue; the result is the list of cards that it offers.

    Attributes
    ----------
    place : str
        Folder or address.
    """

    place: str


def download_model(request: DownloadModelRequest) -> Steps[ModelCard]:
    """Start the download of a model."""
    return download_steps(request.name, request.mirrors)


def import_model(request: ImportModelRequest) -> Steps[ModelCard]:
    """Start the import of a model."""
    return import_steps(request.path, request.name, request.overwrite, trusted=request.trusted)


def export_model(request: ExportModelRequest) -> Steps[Path]:
    """Start to write a model into one file."""
    return export_steps(request.model, request.path, request.overwrite)


def verify_models(request: VerifyModelsRequest) -> Steps[list[Verdict]]:
    """Start the verification of models."""
    return verify_steps(request.models)


def add_lab_catalogue(request: AddCatalogueRequest) -> Steps[list[ModelCard]]:
    """Start to read a lab's catalogue."""
    return add_catalogue(request.place)
