"""The command that tracks a label movie."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from movies import dividing

from napari_ssp.io import write_labels
from napari_ssp.io.objects.tables import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "movie.ome.tif", dividing())


def test_a_table_and_a_report(call: Call, labels: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "tracks.csv", tmp_path / "report.json"
    result = call("track", labels, "-o", out, "--json", report)
    assert result.exit_code == 0, result.output
    assert f"5 tracks, 1 divisions -> {out}" in result.output
    assert [row["track"] for _, row in read_rows(out)][-3:] == ["4", "4", "5"]
    found = json.loads(report.read_text())["tracks"]
    assert (found["tracks"], found["divisions"], found["objects"]) == (5, 1, 11)


def test_choices_and_a_folder(call: Call, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "01_RES"
    result = call("track", labels, "-o", out, "--no-divisions")
    assert result.exit_code == 0, result.output
    assert (out / "res_track.txt").read_text() == "1 0 3 0\n2 0 3 0\n3 2 3 0\n4 2 2 0\n"
    assert call("track", labels, "-o", out).exit_code == 2
    assert call("track", labels, "-o", out, "--overwrite").exit_code == 0


def test_bad_use_is_said_before_any_work(
    call: Call, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = call("track", labels, "-o", tmp_path / "tracks.xml")
    assert (result.exit_code, "ends with '.xml'" in result.output) == (2, True)
    result = call("track", labels, "-o", tmp_path / "a.csv", "--axes", "zyx")
    assert (result.exit_code, "--axes" in result.output) == (2, True)
    monkeypatch.setitem(sys.modules, "laptrack", None)
    result = call("track", labels, "-o", tmp_path / "a.csv", "--linking", "laptrack")
    assert (result.exit_code, "napari-ssp[tracking]" in result.output) == (2, True)
    assert not (tmp_path / "a.csv").exists()
