"""Requests about models themselves: get them, take them in, look after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from napari_ssp.engine import prepare_torch
from napari_ssp.registry import (
    add_catalogue,
    download_steps,
    export_steps,
    import_steps,
    verify_steps,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.progress import Steps


class ModelRequest:
    """Work on models: called, it starts, on the thread that does it."""

    #: Whether it waits for a server, and so must not keep others waiting.
    downloads: ClassVar[bool] = False

    def __call__(self) -> Steps[Any]:
        """Start the work, once it is safe to load torch."""
        prepare_torch()
        return self.steps()

    def steps(self) -> Steps[Any]:
        """Start the work."""
        raise NotImplementedError


@dataclass(frozen=True)
class DownloadModelRequest(ModelRequest):
    """Download a model of a catalogue; the result is its card.

    Attributes
    ----------
    name : str
        Name of the model; of an ensemble, its members are downloaded.
    mirrors : tuple of str
        Addresses of the same file that are tried first.
    """

    downloads: ClassVar[bool] = True

    name: str
    mirrors: tuple[str, ...] = ()

    def steps(self) -> Steps[Any]:
        """Start the download."""
        return download_steps(self.name, self.mirrors)


@dataclass(frozen=True)
class ImportModelRequest(ModelRequest):
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

    def steps(self) -> Steps[Any]:
        """Start the import."""
        return import_steps(self.path, self.name, self.overwrite, trusted=self.trusted)


@dataclass(frozen=True)
class ExportModelRequest(ModelRequest):
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

    def steps(self) -> Steps[Any]:
        """Start the export."""
        return export_steps(self.model, self.path, self.overwrite)


@dataclass(frozen=True)
class VerifyModelsRequest(ModelRequest):
    """Compute digests of installed weights again; the result is a list of verdicts.

    Attributes
    ----------
    models : tuple of str
        Names or folders; none means all.
    """

    models: tuple[str, ...] = ()

    def steps(self) -> Steps[Any]:
        """Start the verification."""
        return verify_steps(self.models)


@dataclass(frozen=True)
class AddCatalogueRequest(ModelRequest):
    """Add a lab's catalogue; the result is the list of cards that it offers.

    Attributes
    ----------
    place : str
        Folder or address.
    """

    downloads: ClassVar[bool] = True

    place: str

    def steps(self) -> Steps[Any]:
        """Start to read it."""
        return add_catalogue(self.place)
