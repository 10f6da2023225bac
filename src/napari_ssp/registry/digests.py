"""Digests of files, computed in steps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 2**23


@dataclass(frozen=True)
class Digests:
    """What identifies a file, in hexadecimal."""

    sha256: str
    md5: str


def hash_file(path: Path, stage: str) -> Steps[Digests]:
    """Compute both digests of a file in one pass."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            yield Progress(stage, file.tell(), size)
    return Digests(sha256.hexdigest(), md5.hexdigest())


def file_sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
