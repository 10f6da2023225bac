"""Files with the objects of many images, of which one is in memory at a time: Parquet and CSV."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import atomic_path
from napari_ssp.io.errors import import_extra
from napari_ssp.io.objects.tables import encoding_of, fields
from napari_ssp.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

    Place = Mapping[str, str | None]
    Table = Mapping[str, npt.NDArray[Any]]

#: End of the name of a Parquet file; others are CSV.
PARQUET_SUFFIX = ".parquet"


class ObjectFile:
    """A file that takes the objects of one image after the other; kinds of it write them.

    Parameters
    ----------
    path : pathlib.Path
        Where it is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] = []

    def add(self, place: Place, table: Table) -> None:
        """Add the objects of an image.

        Parameters
        ----------
        place : mapping
            Columns with one value for the whole image, which come first.
        table : mapping
            Columns of measurements by their names, all of one length.

        Raises
        ------
        ValueError
            If its columns are others than those of the first image.
        """
        names = [*place, *table]
        self._check_columns(names)
        self._write(place, table, is_first=not self.columns)
        self.columns = names

    def close(self) -> None:
        """End the file."""

    def _write(self, place: Place, table: Table, *, is_first: bool) -> None:
        raise NotImplementedError

    def _check_columns(self, names: list[str]) -> None:
        if names == self.columns or not self.columns:
            return
        lacking = ", ".join([name for name in self.columns if name not in names][:5]) or "-"
        more = ", ".join([name for name in names if name not in self.columns][:5]) or "-"
        raise ValueError(
            f"Its columns are not those of the first image (lacking: {lacking}; more: {more}), and "
            "a table has one set of columns. Measure images with other channels, axes or a known "
            "voxel size into a table of their own."
        )


class _ParquetFile(ObjectFile):
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._parquet = import_extra("pyarrow.parquet", "tables", path)
        self._arrow = import_extra("pyarrow", "tables", path)
        self._writer: Any = None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self, place: Place, table: Table, *, is_first: bool) -> None:
        count = len(next(iter(table.values())))
        text = self._arrow.string()
        words = {k: self._arrow.array([v] * count, text) for k, v in place.items()}
        found = self._arrow.table({**words, **table})
        if is_first:
            self._writer = self._parquet.ParquetWriter(self.path, found.schema, compression="zstd")
        if count:  # one group of rows
            self._writer.write_table(found.cast(self._writer.schema), row_group_size=count)


class _CsvFile(ObjectFile):
    """A CSV file, as `write_table` writes one."""

    def _write(self, place: Place, table: Table, *, is_first: bool) -> None:
        count = len(next(iter(table.values())))
        words = [[printable(value or "")] * count for value in place.values()]
        encoding = encoding_of(table) if is_first else "utf-8"
        with self.path.open("a", newline="", encoding=encoding) as file:
            writer = csv.writer(file)
            if is_first:
                writer.writerow((*place, *table))
            writer.writerows(zip(*words, *map(fields, table.values()), strict=True))


@contextmanager
def object_file(path: Path, overwrite: bool = False) -> Iterator[ObjectFile]:
    """Write a file of objects, which is there as a whole, or not at all.

    Parameters
    ----------
    path : pathlib.Path
        A ".parquet", or else a CSV file.
    overwrite : bool
        Replace a file of that name.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    ImportError
        If it is to be Parquet, and pyarrow is not installed.
    ValueError
        If nothing was added.
    """
    kind = _ParquetFile if path.suffix.lower() == PARQUET_SUFFIX else _CsvFile
    with atomic_path(path, overwrite) as temporary:
        file = kind(temporary)
        try:
            yield file
        finally:
            file.close()
        if not file.columns:
            raise ValueError(f"There are no measurements, so '{path}' was not written.")
