"""The list of an archive's members."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def members(path: Path) -> list[zipfile.ZipInfo]:
    """List the members of a zip archive; a file that is none has none.

    Raises
    ------
    ValueError
        When the archive is damaged.
    """
    try:
        if not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except Exception as error:  # damaged lists fail in many ways
        raise ValueError(
            f"{path.name} is damaged: its list of members cannot be read ({error}). Download or "
            "copy it again."
        ) from error
