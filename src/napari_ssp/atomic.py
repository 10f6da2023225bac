"""Atomic writes: a temporary name, then a rename, so a final name never holds half a file.

Links are followed: what they point to is replaced, and they stay. What keeps nothing under its name
(devices, FIFOs, open streams) is written to when all is there.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Files of which a Zarr group or array holds at least one.
ZARR_MARKERS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


class FolderKind(NamedTuple):
    """A kind of result that is a folder, which only another of its kind may replace.

    Attributes
    ----------
    noun : str
        What it is called: "Zarr".
    is_kind : callable
        Whether a path is one.
    """

    noun: str
    is_kind: Callable[[Path], bool]


def _is_zarr(path: Path) -> bool:
    return any((path / marker).is_file() for marker in ZARR_MARKERS)


ZARR = FolderKind("Zarr", _is_zarr)

# What the system says when the place, not the data, is at fault.
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
# Where systems show the files that a process has open, and how many links lead to one at most.
_STREAMS = (("dev",), ("proc",))
_MOST_LINKS = 40
_REMEDIES = {
    **dict.fromkeys(_NO_ROOM, "Free some space or choose another folder."),
    **dict.fromkeys(_NOT_ALLOWED, "Choose another folder."),
    errno.EPIPE: "The program that reads it has ended; start it again, or give a file.",
}


@contextmanager
def atomic_path(path: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and rename it when the block ends well.

    Parameters
    ----------
    path : path-like
        The final name. Its folder must exist.
    overwrite : bool
        Replace a file that has this name already.

    Yields
    ------
    pathlib.Path
        Where to write; same suffixes as ``path``, and same folder where it becomes that file. If
        the block raises, or is closed early, it is removed and ``path`` stays as it was.

    Raises
    ------
    FileExistsError
        If ``path`` exists and is not to be overwritten.
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If ``path`` is a folder.
    PermissionError
        If the folder may not be written to.
    OSError
        If the disk is full, or ``path`` is a disk, a socket or a link that leads to itself.
    """
    given = Path(path)
    check_target(given, overwrite)
    if passes_on(given):
        with _explained(given), tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder) / f"result{''.join(given.suffixes[-2:])}"
            yield scratch
            _pass_on(scratch, given)
        return
    final = follow_links(given)
    temporary = _beside(final, given)
    try:
        with _explained(given):
            yield temporary
            check_target(given, overwrite)
            os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replaced_file(final: Path, kept: Path) -> Iterator[Path]:
    """Give a temporary path as `atomic_path`; what had the name before goes on under another.

    Parameters
    ----------
    final : pathlib.Path
        The final name.
    kept : pathlib.Path
        Name beside it of the file that it replaces, if there is one.

    Yields
    ------
    pathlib.Path
        Where to write. If the block raises, both names stay as they were.

    Raises
    ------
    OSError
        As `atomic_path`.
    """
    temporary = _beside(final, final)
    try:
        with _explained(final):
            yield temporary
            if final.exists():
                os.replace(final, kept)
            os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file anew, as UTF-8 and with the ends of lines that the text has.

    Names of files that are not in UTF-8 keep their bytes.
    """
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


@contextmanager
def atomic_folder(
    path: str | os.PathLike[str], overwrite: bool = False, kind: FolderKind = ZARR
) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` and rename it when the block ends well.

    Parameters
    ----------
    path : path-like
        The final name of the folder. The folder above it must exist.
    overwrite : bool
        Replace a folder of that kind that has this name already.
    kind : FolderKind
        What it is.

    Yields
    ------
    pathlib.Path
        As `replaced_folder`.

    Raises
    ------
    FileExistsError
        If ``path`` exists and is not to be overwritten, or is something else than that kind.
    FileNotFoundError
        If the folder above it does not exist.
    PermissionError
        If that folder may not be written to.
    OSError
        If the disk is full.
    """
    final = Path(path)
    check_folder_target(final, overwrite, kind)
    with replaced_folder(final) as temporary:
        yield temporary
        check_folder_target(final, overwrite, kind)


@contextmanager
def replaced_folder(final: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the place of another, if any, when the block ends well.

    Parameters
    ----------
    final : pathlib.Path
        The final name of the folder. The folder above it must exist.

    Yields
    ------
    pathlib.Path
        An empty folder to write to. If the block raises, or is closed early, it is removed and
        ``final`` stays as it was.

    Raises
    ------
    OSError
        If the folder above may not be written to, or the disk is full.
    """
    given, final = final, follow_links(final)
    temporary, old = _beside(final, given), _beside(final, given)
    try:
        with _explained(given):
            temporary.mkdir()
            yield temporary
            if final.exists():
                os.replace(final, old)
            os.replace(temporary, final)
    except BaseException:
        if old.exists() and not final.exists():
            os.replace(old, final)
        raise
    finally:
        for leftover in (temporary, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _beside(final: Path, given: Path) -> Path:
    # Some writers go by the ending, and the end of a link may have another.
    return final.with_name(f".{uuid.uuid4().hex}{''.join(given.suffixes[-2:])}")


@contextmanager
def _explained(final: Path) -> Iterator[None]:
    """Say what to do when the disk is full or may not be written to."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        raise OSError(
            error.errno,
            f"'{final}' could not be written: {error.strerror}. Nothing was left under that name. "
            f"{_REMEDIES[error.errno]}",
        ) from error


def passes_on(path: Path) -> bool:
    """Whether a name is a device, a FIFO or an open stream: nothing is kept under it."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # nothing is there, or no name at all
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or _is_stream(path)


def is_special(path: Path) -> bool:
    """Whether something is there that is neither file nor folder, and may never end."""
    return path.exists() and not path.is_file() and not path.is_dir()


def is_taken(path: Path) -> bool:
    """Whether something lies under a name that writing to it would replace."""
    return path.exists() and not passes_on(path)


def is_same(path: Path, other: Path) -> bool:
    """Whether two names are of one file or folder, which need not exist."""
    try:
        return path.resolve() == other.resolve() or path.samefile(other)
    except OSError:  # one of them does not exist, or cannot be reached
        return False


def _is_stream(path: Path) -> bool:
    """Whether a link leads to a file that a process has open, as /dev/stdout does."""
    for _ in range(_MOST_LINKS):
        if path.parent.name == "fd" and path.name.isdecimal() and path.parts[1:2] in _STREAMS:
            return True
        if not path.is_symlink():
            return False
        path = path.parent / path.readlink()
    return False


def _pass_on(source: Path, target: Path) -> None:
    # Appended: a stream that goes to a file may have something before it.
    with source.open("rb") as content, target.open("ab") as stream:
        shutil.copyfileobj(content, stream)


def follow_links(path: Path) -> Path:
    """Give the name that a link leads to, at its end; another name stays as it is.

    Raises
    ------
    FileNotFoundError
        If it leads into a folder that does not exist.
    OSError
        If it leads to itself.
    """
    if not path.is_symlink():
        return path
    end = Path(os.path.realpath(path))
    if end.is_symlink():
        raise OSError(
            errno.ELOOP,
            f"'{path}' is a link that leads to itself, so nothing can be written to it. Remove it, "
            "or choose another name.",
        )
    if not end.parent.is_dir():
        raise FileNotFoundError(
            f"'{path}' is a link to '{end}', whose folder does not exist. Create that folder, or "
            "choose another name."
        )
    return end


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a name that cannot be written to, before any work is done for it.

    Parameters
    ----------
    path : pathlib.Path
        The final name.
    overwrite : bool
        Whether a file of that name may be replaced.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError, OSError
        As `atomic_path`.
    """
    if path.is_dir():
        raise IsADirectoryError(
            f"'{path}' is a folder. Give the name of a file to write, e.g. '{path / 'labels.tif'}'."
        )
    if passes_on(path):
        return
    final = follow_links(path)
    _check_parent(final)
    if final.exists() and not final.is_file():
        raise OSError(
            f"'{path}' is neither a file nor a stream (a disk, or a socket), so nothing was "
            "written to it. Give the name of a file."
        )
    if is_taken(final) and not overwrite:
        raise _exists(path)


def check_folder_target(path: Path, overwrite: bool, kind: FolderKind = ZARR) -> None:
    """Refuse the name of a folder that cannot be written to, before any work is done for it.

    Parameters
    ----------
    path : pathlib.Path
        The final name.
    overwrite : bool
        Whether a folder of that kind and name may be replaced.
    kind : FolderKind
        What it is.

    Raises
    ------
    FileExistsError, FileNotFoundError, PermissionError
        As `atomic_folder`.
    """
    _check_parent(follow_links(path))
    if path.exists() and not overwrite:
        raise _exists(path)
    if path.exists() and not kind.is_kind(path):
        raise FileExistsError(
            f"'{path}' exists and is no {kind.noun}, so it was left as it is. Choose another name."
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder that may not be written to, with a PermissionError."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"The folder '{folder}' may not be written to by this user. Choose another folder."
        )


def _check_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"The folder '{path.parent}' does not exist, so '{path.name}' cannot be written to it. "
            "Create it first, or choose another folder."
        )
    check_folder(path.parent)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(
        f"'{path}' exists already and was left as it is. Choose another name, or allow overwriting."
    )
