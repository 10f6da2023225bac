"""The errors that all formats share."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OWN = "napari_ssp."
#: What damage shows as, and not the system: a place before the beginning of a file, an odd name.
_OF_CONTENT = (None, errno.EINVAL, errno.EOVERFLOW, errno.ENAMETOOLONG)


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
    reason = _put("", cause).splitlines()[0][:300].rstrip(".")
    return OSError(
        f"'{path}'{size} is cut off or damaged: {reason}. Copy or export it again; if it opens "
        "elsewhere, save it from there as an uncompressed TIFF."
    )


@contextmanager
def reading(path: Path, failure: str = "") -> Iterator[None]:
    """Turn whatever a library raises about a file's content into a `damage_error`.

    Damaged files make libraries fail in any way: IndexError, struct.error, RecursionError. Errors
    that our own code raises are sentences already, and so are the system's, e.g. that a file may
    not be read; they pass.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder.
    failure : str
        What did not work, e.g. "a block cannot be read"; else the library's words stand alone.

    Raises
    ------
    OSError
        The `damage_error`.
    MemoryError
        If what the file asks for does not fit into memory.
    """
    try:
        yield
    except ImportError:
        raise
    except MemoryError as error:
        if str(path) in str(error):
            raise
        raise MemoryError(
            f"'{path}' needs more memory than is free ({error or 'no figure is known'}). Close "
            "other programs; if the image is small, the file is damaged: copy or export it again."
        ) from error
    except OSError as error:
        if error.errno not in _OF_CONTENT or _is_ours(error):
            raise
        raise damage_error(path, _put(failure, error)) from error
    except RecursionError as error:
        raise damage_error(path, "its metadata are nested without end") from error
    except (ValueError, TypeError, RuntimeError) as error:
        if _is_ours(error):
            raise
        raise damage_error(path, _put(failure, error)) from error
    except Exception as error:  # its message alone says nothing, as of KeyError
        raise damage_error(path, _put(failure, f"{type(error).__name__}: {error}")) from error


def _put(failure: str, cause: Exception | str) -> str:
    words = str(cause).strip() or type(cause).__name__
    return f"{failure} ({words})" if failure else words


def _is_ours(error: Exception) -> bool:
    """Whether a sentence was raised in this package; what Python says has no full stop."""
    traceback, name = error.__traceback__, ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return name.startswith(_OWN) and str(error).endswith(".")


def import_extra(module: str, extra: str, user: Path | str) -> Any:
    """Import a library that is not installed with the package itself.

    Parameters
    ----------
    module : str
        The module.
    extra : str
        The extra of napari-ssp that brings it.
    user : pathlib.Path or str
        The file that needs it, or what else does.

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
            f"'{user}' needs the library {library}, which cannot be loaded here ({error}). Install "
            f'it with: pip install "napari-ssp[{extra}]"',
            name=library,
        ) from error
