"""The errors that all formats share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def damage_error(path: Path, cause: Exception | str) -> OSError:
    """Build the error for a file whose content does not hold together.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder.
    cause : Exception or str
        What went wrong.

    Returns
    -------
    OSError
    """
    size = f" ({path.stat().st_size} bytes)" if path.is_file() else ""
    return OSError(
        f"'{path}'{size} is cut off or damaged: {cause}. Copy or export it again; if it opens "
        "elsewhere, save it from there as an uncompressed TIFF."
    )


def import_extra(module: str, extra: str, path: Path) -> Any:
    """Import a library that is not installed with the package itself.

    Parameters
    ----------
    module : str
        The module.
    extra : str
        The extra of napari-ssp that brings it.
    path : pathlib.Path
        The file that needs it.

    Returns
    -------
    module

    Raises
    ------
    ModuleNotFoundError
        If it is not installed, or cannot be loaded.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise ModuleNotFoundError(
            f"'{path}' needs the library {library}, which cannot be loaded here ({error}). Install "
            f'it with: pip install "napari-ssp[{extra}]"',
            name=library,
        ) from error
