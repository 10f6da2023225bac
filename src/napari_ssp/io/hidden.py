"""Files that systems leave in folders beside images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
_FOLDERS = ("__macosx",)
# Of programs that have a file open, and of macOS on disks that cannot keep its attributes.
_STARTS = (".", "~$")
_APPLE_DOUBLE = b"\0\5\x16\7"


def is_left_by_system(path: Path) -> bool:
    """Whether a file or folder is none that a person put there.

    Parameters
    ----------
    path : pathlib.Path
        Hidden ones, ``Thumbs.db``, ``desktop.ini``, ``~$x``, ``__MACOSX`` by their names; files of
        macOS's attributes also by their content, since some bear the image's own name.
    """
    name = path.name.lower()
    if name.startswith(_STARTS) or name in (*_FILES, *_FOLDERS):
        return True
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_APPLE_DOUBLE)) == _APPLE_DOUBLE
    except OSError:  # it may not be read, and others say why
        return False
