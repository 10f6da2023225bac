"""Digests of files, computed in steps."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CHUNK = 2**23


@dataclass(frozen=True)
class Digests:
    """What identifies a file, in hexadecimal; empty where it is not known."""

    sha256: str = ""
    md5: str = ""


def hash_file(path: Path, stage: str) -> Steps[Digests]:
    """Compute both digests of a file in one pass."""
    return (yield from _hash(path, stage, ("sha256", "md5")))


def verify_file(path: Path, known: Digests, stage: str, name: str) -> Steps[None]:
    """Compare a file with the digests that are known of it, in one pass.

    Parameters
    ----------
    path : pathlib.Path
        The file; without a known digest it is not read.
    known : Digests
        Digests in either case.
    stage : str
        What the progress is called.
    name : str
        What an error calls the file, such as its address.

    Raises
    ------
    ValueError
        If one differs.
    """
    expected = {kind: digest.lower() for kind, digest in asdict(known).items() if digest}
    if not expected:
        return
    found = asdict((yield from _hash(path, stage, expected)))
    for kind, digest in expected.items():
        if found[kind] != digest:
            raise ValueError(
                f"{name} has the {kind} {found[kind]}, but {digest} was expected: it is damaged or "
                "another file. It was not kept."
            )


def _hash(path: Path, stage: str, kinds: Iterable[str]) -> Steps[Digests]:
    digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    size = path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for digest in digests.values():
                digest.update(chunk)
            yield Progress(stage, file.tell(), size)
    return Digests(**{kind: digest.hexdigest() for kind, digest in digests.items()})


def file_sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
