"""A Parquet file with the objects of many images, of which one is in memory at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import atomic_path
from napari_ssp.io.errors import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

#: End of the name of such a file.
PARQUET_SUFFIX = ".parquet"


class ObjectFile:
    """A Parquet file that takes the objects of one image after the other.

    Parameters
    ----------
    path : pathlib.Path
        Where it is written.
    """

    def __init__(self, path: Path) -> None:
        self._parquet = import_extra("pyarrow.parquet", "tables", path)
        self._arrow = import_extra("pyarrow", "tables", path)
        self._path = path
        self._writer: Any = None
        self.columns: list[str] = []

    def add(self, place: Mapping[str, str | None], table: Mapping[str, npt.NDArray[Any]]) -> None:
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
        count = len(next(iter(table.values())))
        text = self._arrow.string()
        words = {k: self._arrow.array([v] * count, text) for k, v in place.items()}
        found = self._arrow.table({**words, **table})
        if self._writer is None:
            self.columns = found.column_names
            self._writer = self._parquet.ParquetWriter(self._path, found.schema, compression="zstd")
        self._check_columns(found.column_names)
        if count:  # one group of rows
            self._writer.write_table(found.cast(self._writer.schema), row_group_size=count)

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()

    def _check_columns(self, names: list[str]) -> None:
        if names == self.columns:
            return
        lacking = ", ".join([name for name in self.columns if name not in names][:5]) or "-"
        more = ", ".join([name for name in names if name not in self.columns][:5]) or "-"
        raise ValueError(
            f"Its columns are not those of the first image (lacking: {lacking}; more: {more}), and "
            "a table has one set of columns. Measure images with other channels, axes or a known "
            "voxel size into a table of their own."
        )


@contextmanager
def object_file(path: Path, overwrite: bool = False) -> Iterator[ObjectFile]:
    """Write a file of objects, which is there as a whole, or not at all.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    ImportError
        If pyarrow is not installed.
    ValueError
        If nothing was added.
    """
    with atomic_path(path, overwrite) as temporary:
        file = ObjectFile(temporary)
        try:
            yield file
        finally:
            file.close()
        if not file.columns:
            raise ValueError(f"There are no measurements, so '{path}' was not written.")
