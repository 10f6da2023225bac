"""Tables of a collection of stacks: ``path_czi, channel_signal, channel_target``, by structure."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_ssp.atomic import atomic_path
from napari_ssp.datasets.splits import StackRow
from napari_ssp.io.objects.tables import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

COLUMNS = ("path_czi", "channel_signal", "channel_target")
_MOST_LISTED = 50


@dataclass
class Problems:
    """What is wrong, collected so that the user sees all of it at once."""

    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Note one more problem."""
        self.lines.append(line)

    def check(self, what: str, remedy: str) -> None:
        """Refuse to go on where anything was noted.

        Raises
        ------
        ValueError
            With the list.
        """
        if not self.lines:
            return
        shown = [f"  {line}" for line in self.lines[:_MOST_LISTED]]
        more = len(self.lines) - len(shown)
        rest = [f"  and {more} more"] if more else []
        raise ValueError("\n".join([f"{len(self.lines)} {what}:", *shown, *rest, remedy]))


def find_tables(places: Iterable[Path]) -> dict[str, Path]:
    """Tables by the name of their dataset; a folder stands for the CSV files in it.

    Raises
    ------
    FileNotFoundError
        If a place does not exist, or there is no table.
    ValueError
        If two tables have the same name.
    """
    files: list[Path] = []
    for place in places:
        if not place.exists():
            raise FileNotFoundError(
                f"There is no table '{place}'. Give CSV files, or their folder."
            )
        files += sorted(place.glob("*.csv")) if place.is_dir() else [place]
    twice = [name for name, count in Counter(path.stem for path in files).items() if count > 1]
    if twice:
        raise ValueError(
            f"Several tables are called {', '.join(twice)}; a table's name is its structure's. "
            "Rename or join them."
        )
    if not files:
        raise FileNotFoundError("The folder holds no CSV files. Give the tables of the datasets.")
    return {path.stem: path for path in files}


def read_tables(places: Iterable[Path]) -> dict[str, list[StackRow]]:
    """Read the rows of all tables.

    Parameters
    ----------
    places : iterable of pathlib.Path
        CSV files with the columns ``path_czi, channel_signal, channel_target``, one per structure
        and named after it, or folders of them.

    Returns
    -------
    dict of str to list of StackRow
        In the tables' order.

    Raises
    ------
    FileNotFoundError
        If a place does not exist, or there is no table.
    ValueError
        With the list of all broken, repeated and missing rows.
    """
    problems = Problems()
    tables = {name: _read_table(path, problems) for name, path in find_tables(places).items()}
    problems.check("problems in the tables", "Correct them and start again.")
    return tables


def _read_table(path: Path, problems: Problems) -> list[StackRow]:
    lines = read_rows(path)
    missing = [name for name in COLUMNS if lines and name not in lines[0][1]]
    if missing:
        problems.add(f"{path.name}: no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
        return []
    rows = list(_rows(path.name, lines, problems))
    if not rows:
        problems.add(f"{path.name}: no rows")
    for row, count in Counter(rows).items():
        if count > 1:
            problems.add(f"{path.name}: {row.path} is listed {count} times")
    return rows


def _rows(
    name: str, lines: Iterable[tuple[int, dict[str, str]]], problems: Problems
) -> Iterator[StackRow]:
    for number, cells in lines:
        path, *channels = (cells[column].strip() for column in COLUMNS)
        try:
            # pandas writes whole numbers as floats where a cell is empty.
            signal, target = (int(float(text)) for text in channels)
        except ValueError:
            signal = target = -1
        if path and min(signal, target) >= 0:
            yield StackRow(path.replace("\\", "/"), signal, target)
        else:
            text = ", ".join([path, *channels])
            problems.add(f"{name}, line {number}: '{text}' is not a path and two channels from 0")


def locate(row_path: str, roots: Sequence[Path]) -> Path | None:
    """Find the file of a row below one of the roots, or None.

    The path is taken as it is, then without its first folder (the tables begin with ``data/``),
    then as dataset folder and file name, then as file name alone.
    """
    path = PurePosixPath(row_path)
    if path.is_absolute() or Path(row_path).is_absolute():
        return Path(row_path) if Path(row_path).exists() else None
    tails = dict.fromkeys(path.parts[start:] for start in (0, 1, -2, -1))
    places = (root.joinpath(*tail) for tail in tails for root in roots if tail)
    return next((place for place in places if place.exists()), None)


def write_table(path: Path, rows: Iterable[StackRow]) -> None:
    """Write rows as a table of the same columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_path(path, overwrite=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows((row.path, row.signal, row.target) for row in rows)
