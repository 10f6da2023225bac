from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pandas
import pytest

from napari_ssp.io.objects.tables import write_table

if TYPE_CHECKING:
    from pathlib import Path

TABLE = {
    "label": np.array([3, 2**40]),
    "area_um2": np.array([1 / 3, np.nan]),
    "mean_GFP, long": np.array([0.1, 12.0], np.float32),
}


def test_a_table_comes_back_to_the_last_digit(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", TABLE)
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    assert names == list(TABLE)
    assert rows[0][0] == "3"
    assert float(rows[0][1]) == 1 / 3
    assert rows[1][:2] == [str(2**40), ""]
    assert np.float32(rows[0][2]) == np.float32(0.1)


def test_pandas_reads_it(tmp_path: Path) -> None:
    named = {**TABLE, "mean_β-Tubulin": np.array([1, 2])}
    frame = pandas.read_csv(write_table(tmp_path / "a.csv", named))
    assert list(frame.columns) == list(named)
    assert frame["label"].tolist() == [3, 2**40]
    assert np.isnan(frame["area_um2"][1])


def test_excel_is_told_of_utf8_only_where_needed(tmp_path: Path) -> None:
    assert write_table(tmp_path / "a.csv", TABLE).read_bytes().startswith(b"label,")
    named = {"mean_β": np.array([1])}
    assert write_table(tmp_path / "b.csv", named).read_bytes().startswith(b"\xef\xbb\xbfmean_")


def test_no_rows(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", {"label": np.array([], int), "t": np.array([], int)})
    assert path.read_bytes() == b"label,t\r\n"


def test_files_are_kept(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", TABLE)
    with pytest.raises(FileExistsError, match="exists already"):
        write_table(path, TABLE)
    write_table(path, {"label": np.array([1])}, overwrite=True)
    assert path.read_text() == "label\n1\n"


@pytest.mark.parametrize("table", [{}, {"a": np.zeros(2), "b": np.zeros(3)}])
def test_what_is_no_table_is_refused(table: dict, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns of a table"):
        write_table(tmp_path / "a.csv", table)
    assert not list(tmp_path.iterdir())
