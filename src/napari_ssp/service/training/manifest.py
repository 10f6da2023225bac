"""Manifest of a training: its data with digests, so that a run goes on with the same."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.atomic import write_text
from napari_ssp.registry import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA_FILE = "data.csv"
_COLUMNS = ("role", "kind", "path", "sha256", "shape")


class Entry(NamedTuple):
    """A file of a training: its role, what it holds, where it is, and what is known of it."""

    role: str
    kind: str
    path: Path
    shape: tuple[int, ...] = ()
    digest: str = ""


def write_manifest(entries: Iterable[Entry], folder: Path, started: bool) -> None:
    """Write ``data.csv``: every file with its role, digest and shape.

    Parameters
    ----------
    entries : iterable of Entry
        What the run works on.
    folder : pathlib.Path
        The run's.
    started : bool
        Whether the run goes on; its data must be what they were.

    Raises
    ------
    ValueError
        When the data of a run that goes on have changed.
    """
    text = _text(entries)
    path = folder / DATA_FILE
    before = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else text
    if started and before != text:
        names = _changed(before, text)
        raise ValueError(
            f"The data have changed since the run in {folder} was started: {', '.join(names[:5])}"
            f"{' and more' if len(names) > 5 else ''}. Its scores would not compare. Train in "
            "another folder, or put the files back."
        )
    write_text(path, text)


def _changed(before: str, now: str) -> list[str]:
    """Names of the files that differ between two manifests."""
    rows = (set(map(tuple, csv.reader(io.StringIO(text)))) for text in (before, now))
    return sorted({Path(row[2]).name for row in next(rows) ^ next(rows)})


def _text(entries: Iterable[Entry]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for role, kind, path, shape, known in entries:
        writer.writerow((role, kind, path, known or _digest(path), "x".join(map(str, shape))))
    return text.getvalue()


def _digest(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of its files in order."""
    if path.is_dir():
        parts = sorted(part for part in path.rglob("*") if part.is_file())
        return hashlib.sha256("".join(map(_digest, parts)).encode()).hexdigest()
    return file_sha256(path)
