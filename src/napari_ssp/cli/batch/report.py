"""The report of a batch for people, a row per image: a table (CSV) or a page (HTML)."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from napari_ssp.atomic import write_text
from napari_ssp.cli.batch.page import PAGE_START, make_page
from napari_ssp.cli.reporting import one_line, say
from napari_ssp.io.ngff.plates import PlatePlace, find_plate_place
from napari_ssp.io.objects.tables import write_table
from napari_ssp.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_ssp.cli.batch.running import Ending
    from napari_ssp.io import ImageSource

_TABLE, _PAGE = ".csv", ".html"
#: Columns about what became of an image, after those of where it lies.
_RESULTS = ("state", "objects", "seconds", "result", "warnings", "error")
_PLACES = ("image", "scene", *PlatePlace._fields)
#: Seconds from one writing to the next at least, and as a multiple of what the last one took.
_PAUSE, _SHARE = 5.0, 20.0


def check_report(_: Any, option: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Refuse a name that is neither table nor page, or that holds something else."""
    for path in paths:
        if path.suffix.lower() not in (_TABLE, _PAGE):
            raise click.BadParameter(
                f"'{path}' ends with '{path.suffix}', but a report is a table, {_TABLE}, or a "
                f"page, {_PAGE}.",
                param=option,
            )
        start = PAGE_START if path.suffix.lower() == _PAGE else ",".join(_PLACES)
        if path.is_file() and path.stat().st_size and not _begins(path, start):
            raise click.BadParameter(
                f"'{path}' exists and is no report, so it was left as it is. Give another name.",
                param=option,
            )
    return paths


def _begins(path: Path, start: str) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start.encode()


class BatchReport:
    """Files that say what became of each image, written anew as images end.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Where to write; a ".csv" is a table, a ".html" a page with pictures.
    sources : iterable of ImageSource
        The images of the batch.
    """

    def __init__(self, paths: Sequence[Path], sources: Iterable[ImageSource]) -> None:
        self._paths = paths
        self._rows = [_begin(source) for source in sources] if paths else []
        self._pictures: dict[int, bytes] = {}
        self._lock = Lock()
        self._next = 0.0

    @property
    def has_pictures(self) -> bool:
        """Whether pictures are shown."""
        return any(path.suffix.lower() == _PAGE for path in self._paths)

    def add(self, number: int, end: Ending, result: Path, picture: bytes = b"") -> None:
        """Note what became of an image."""
        if not self._paths:
            return
        done = "failed" if end.error else "done before" if end.row.get("skipped") else "done"
        told = {name: end.row.get(name, "") for name in ("objects", "seconds", "error")}
        warnings = printable("\n".join(end.row.get("warnings", ())))
        files = {} if end.error else {"result": printable(str(result))}
        with self._lock:
            self._rows[number] |= {"state": done, "warnings": warnings, **told, **files}
            if picture:
                self._pictures[number] = picture
            if time.monotonic() >= self._next:
                self._refresh()

    def write(self) -> list[str]:
        """Write all files, each of which is whole at any moment; says which ones cannot be."""
        errors = []
        for path in self._paths:
            try:
                self._write(path)
            except OSError as error:
                errors.append(one_line(error))
        return errors

    def _write(self, path: Path) -> None:
        if path.suffix.lower() == _PAGE:
            write_text(path, make_page(self._rows, self._pictures))
            return
        columns = {
            name: np.array([row[name] for row in self._rows], object) for name in self._rows[0]
        }
        write_table(path, columns, overwrite=True)

    def _refresh(self) -> None:
        began = time.monotonic()
        for line in self.write():  # the batch goes on; the last writing says it again
            say(line)
        ended = time.monotonic()
        self._next = ended + max(_PAUSE, _SHARE * (ended - began))


def _begin(source: ImageSource) -> dict[str, Any]:
    place = find_plate_place(source) or PlatePlace("", "", "")
    results = {**dict.fromkeys(_RESULTS, ""), "state": "waiting"}
    return {
        "image": printable(str(source.path)),
        "scene": printable(source.scene or ""),
        **place._asdict(),
        **results,
    }
