"""Programs that the user has agreed to run, by their sha256."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_ssp.atomic import write_text
from napari_ssp.registry.folders import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "trusted.json"


class UntrustedError(PermissionError):
    """A file holds a program, and nobody has agreed to run it."""


def is_trusted(sha256: str) -> bool:
    """Whether the user on this computer has agreed to run a file."""
    return sha256 in _trusted()


def trust(sha256: str) -> None:
    """Note that the user agreed to run exactly this file."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(sorted({*_trusted(), sha256}), indent=2))


def _path() -> Path:
    return cache_folder() / _FILE


def _trusted() -> set[str]:
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {item for item in found if isinstance(item, str)} if isinstance(found, list) else set()
