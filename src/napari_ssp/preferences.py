"""Preferences of the user, as napari's dialog stores them; they are read without napari."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs

_FILE = "napari-ssp.yaml"
_SEVERAL = {
    "device": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "float32", "bfloat16"),
}


@dataclass(frozen=True)
class Preferences:
    """What the user has chosen for all runs; the fields' defaults mean that nothing was chosen.

    Attributes
    ----------
    where : str
        Where networks of new docks run.
    device, precision : str
        As those of a `SegmentRequest`.
    threads : int
        Threads of the CPU that a run takes; 0 is automatic.
    folder : str
        Folder that models are installed to; empty is the one in the user's cache.
    objects, images, errors : str
        Models of cells, structures and errors to begin with; empty is the shipped one.
    """

    where: str = "local"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    folder: str = ""
    objects: str = ""
    images: str = ""
    errors: str = ""

    def chosen(self) -> dict[str, Any]:
        """Values of the fields that differ from their defaults, by name."""
        return {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }


#: Headings of the manifest's configurations, under which napari stores the values.
GROUPS = {
    "compute": ("where", "device", "precision", "threads"),
    "models": ("folder", "objects", "images", "errors"),
}


def preferences_file() -> Path | None:
    """File that napari stores the preferences in; None where it stores none.

    It lies beside napari's own settings: ``NAPARI_CONFIG`` moves both, and each Python environment
    has its own.
    """
    moved = os.environ.get("NAPARI_CONFIG")
    if moved is not None:
        return Path(moved).expanduser().parent / _FILE if moved else None
    return platformdirs.user_config_path("napari", appauthor=False) / _environment() / _FILE


def read_preferences() -> Preferences:
    """Read the preferences; what is missing, damaged or not allowed is as if nobody had chosen."""
    values, found = {}, _read(preferences_file())
    for group, names in GROUPS.items():
        part = found.get(group)
        given = part if isinstance(part, dict) else {}
        values.update({name: given[name] for name in names if _is_allowed(name, given.get(name))})
    return Preferences(**values)


def _environment() -> Path:
    """Folder that napari gives to the Python environment."""
    prefix = os.path.realpath(sys.prefix)
    if prefix.startswith(platformdirs.user_cache_dir("uv")):  # another for each run of uvx
        from importlib.metadata import PackageNotFoundError, version

        with suppress(PackageNotFoundError):
            return Path("uvx", re.split(r"[^\d.]", version("napari"))[0])
    digest = hashlib.sha1(prefix.encode(), usedforsecurity=False).hexdigest()
    return Path(f"{os.path.basename(prefix)}_{digest}")


def _read(path: Path | None) -> dict[Any, Any]:
    if path is None or not path.is_file():
        return {}
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_allowed(name: str, value: Any) -> bool:
    if type(value) is not type(getattr(Preferences, name)):
        return False
    return value in _SEVERAL[name] if name in _SEVERAL else not (name == "threads" and value < 0)
