"""Tables as CSV: written, and read with errors that name the line."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_path, is_special

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt


def write_table(
    path: str | os.PathLike[str],
    table: Mapping[str, npt.NDArray[Any]],
    overwrite: bool = False,
) -> Path:
    """Write a table as CSV: one line of column names, then one line per row.

    Parameters
    ----------
    path : path-like
        The file, e.g. ending with ".csv".
    table : mapping
        Columns of the same length by their names, as `measure_objects` returns them.
    overwrite : bool
        Replace a file of that name.

    Returns
    -------
    pathlib.Path
        The file, in UTF-8; with a byte-order mark where a name is not plain ASCII, for without it
        Excel shows such names wrongly. Numbers have all their digits, a point as decimal mark and
        an empty field for nan.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    ValueError
        If there are no columns, or their lengths differ.
    """
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(
            f"The columns of a table have one length, but these have {lengths or 'no columns'}."
        )
    with (
        atomic_path(path, overwrite) as temporary,
        temporary.open("w", newline="", encoding=encoding_of(table)) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*(fields(column) for column in table.values()), strict=True))
    return Path(path)


def read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Read the rows of a table by the names of its columns.

    Parameters
    ----------
    path : pathlib.Path
        CSV file in UTF-8, divided by commas or semicolons; its first line names the columns.

    Returns
    -------
    list of (int, dict)
        Number of each row's last line, and its values; those that a short row lacks are empty.

    Raises
    ------
    ValueError
        If it is no file, no text in UTF-8, or a line cannot be divided into fields, e.g. because a
        quotation mark is never closed.
    """
    if is_special(path):
        raise ValueError(f"'{path}' is no file but a device, FIFO or socket. Give a CSV file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8. Save it as 'CSV UTF-8'.") from error
    first = text.partition("\n")[0]
    divider = ";" if ";" in first and "," not in first else ","
    lines = io.StringIO(text, newline="")
    reader = csv.DictReader(lines, restval="", delimiter=divider, skipinitialspace=True)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ValueError(
            f"{path} is no table after line {reader.line_num}: {error}. Look there for a "
            "quotation mark that is not closed, or save it as CSV again."
        ) from error


def encoding_of(names: Iterable[str]) -> str:
    """UTF-8, with a byte-order mark where a name of a column is not plain ASCII."""
    return "utf-8" if all(name.isascii() for name in names) else "utf-8-sig"


def fields(column: npt.NDArray[Any]) -> Iterator[Any]:
    """Values of a column as they are written: nan is an empty field."""
    values = np.asarray(column).tolist()
    return ("" if value != value else value for value in values)
