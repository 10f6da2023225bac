"""Where a command writes to may be closed, full or no file; names may be no text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import pytest
import tifffile

from napari_ssp.cli import main
from napari_ssp.io import read_image, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Call = Callable[..., Result]

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither sh nor /dev/null")
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="macOS has no /dev/full")
LABELS = np.diag(np.arange(1, 10))
COMMAND = f"{sys.executable} -m napari_ssp.cli"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "cells_label.tif", LABELS)


def shell(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in a folder."""
    return subprocess.run(
        words, shell=True, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@posix
@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        ("| true", 0, ""),
        pytest.param(
            "> /dev/full",
            1,
            "Error: The output could not be written: No space left on device.",
            marks=full,
        ),
        (">&-", 1, "Error: The standard output is closed, so the report could not be written"),
        ("2>&-", 0, ""),
        pytest.param("2> /dev/full", 0, "", marks=full),
    ],
)
def test_a_report_to_an_output_that_takes_nothing(
    labels: Path, redirection: str, code: int, said: str
) -> None:
    words = f"{COMMAND} measure {labels.name} -o cells.csv --json - {redirection}"
    done = shell(words, labels.parent)
    assert done.returncode == code
    assert done.stderr.partition("cells.csv\n")[2].startswith(said)
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr
    assert (labels.parent / "cells.csv").stat().st_size  # the work itself was done


@posix
def test_a_report_and_a_table_to_devices(call: Call, labels: Path) -> None:
    for words in (("-o", os.devnull, "--json", os.devnull), ("-o", os.devnull, "--overwrite")):
        result = call("measure", labels, *words)
        assert result.exit_code == 0, result.output
    assert Path(os.devnull).is_char_device()
    assert os.listdir(labels.parent) == [labels.name]


def test_a_report_replaces_nothing_but_a_report(call: Call, labels: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ("measure", labels, "-o", tmp_path / "cells.csv", "--overwrite", "--json")
    before = labels.read_bytes()
    result = call(*words, labels)
    assert result.exit_code == 2
    assert "is no report, so it was left as it is" in result.output
    assert labels.read_bytes() == before
    report.touch()
    for _ in range(2):
        assert call(*words, report).exit_code == 0
        assert json.loads(report.read_text())["rows"] == 9


@pytest.mark.skipif(sys.platform != "linux", reason="file names are any bytes on Linux only")
def test_names_that_are_not_in_utf8(call: Call, labels: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9_label.tif")
    labels.rename(odd)
    out, report = tmp_path / os.fsdecode(b"caf\xe9.csv"), tmp_path / "report.json"
    result = call("measure", odd, "-o", out, "--json", report)
    assert result.exit_code == 0, result.output
    assert "caf\\udce9_label.tif: 9 objects" in result.stderr
    assert os.fsencode(json.loads(report.read_text())["labels"]) == os.fsencode(odd)
    copy = tmp_path / os.fsdecode(b"caf\xe9.ome.tif")
    assert call("export", odd, "--to", "ome-tiff", "-o", copy).exit_code == 0
    np.testing.assert_array_equal(read_image(copy).data, LABELS)
    result = call("measure", tmp_path / os.fsdecode(b"caf\xe9.csv"), "-o", tmp_path / "b.csv")
    assert result.exit_code == 2 and "caf\\udce9.csv" in result.output


@posix
def test_names_do_not_act_upon_the_terminal(call: Call, labels: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b]0;title\x07[red]b[_label.tif"
    labels.rename(odd)
    result = call("measure", odd, "-o", tmp_path / "a.csv")
    assert result.exit_code == 0
    assert "\x1b" not in result.stderr
    assert "a\\x1b]0;title\\x07[red]b[_label.tif: 9 objects" in result.stderr
    truth = tmp_path / "truth" / "a[red]_label.tif"
    found = tmp_path / "found" / "a[red]_label.tif"
    for path in (truth, found):
        path.parent.mkdir()
        odd.rename(path) if path is truth else path.write_bytes(truth.read_bytes())
    words = ("--prediction", found.parent, "--truth", truth.parent)
    result = call("evaluate", "segmentation", *words)
    assert result.exit_code == 0, result.output
    assert "a[red]" in result.output


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("option", ["--epochs", "--minutes", "--learning-rate", "--crop"])
def test_numbers_without_an_end(call: Call, tmp_path: Path, option: str, value: str) -> None:
    words = ("--data", tmp_path, "-o", tmp_path / "run", option, value)
    result = call("train", "segmentation", *words)
    assert result.exit_code == 2
    assert "Error: " in result.output and value in result.output
    assert os.listdir(tmp_path) == []


def test_a_table_with_an_endless_field(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text('image,label\na.tif,"' + "b" * 200_000 + "\n")
    result = call("train", "segmentation", "--data", table, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "is no table after line 1" in result.output
    assert "quotation mark that is not closed" in result.output


@full
@pytest.mark.parametrize("option", ["--report", "--json"])
def test_images_that_failed_are_told_also_where_their_report_cannot_be_written(
    call: Call, finding_model: Path, tmp_path: Path, option: str
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    tifffile.imwrite(folder / "good.tif", np.ones((40, 40), np.uint8))
    (folder / "bad.tif").write_text("no image at all")
    report, other = tmp_path / "report.csv", tmp_path / "other.json"
    report.symlink_to("/dev/full")
    words = ("segment", folder, "-o", out, "--model", finding_model, option, report)
    result = call(*words, *(("--json", other) if option == "--report" else ()))
    assert result.exit_code == 1
    said = result.stderr.splitlines()
    assert any(line.startswith("Error:") and "bad.tif" in line for line in said)
    assert any(line.startswith("Error:") and "No space left" in line for line in said)
    if option == "--report":
        assert [bool(row.get("error")) for row in json.loads(other.read_text())["images"]] == [
            True,
            False,
        ]


def test_what_a_review_concludes_may_fail(call: Call, tiny_critic: Path, tmp_path: Path) -> None:
    """Without objects there is nothing to calibrate on; the maps and tables are there."""
    tifffile.imwrite(tmp_path / "a.tif", np.arange(1600, dtype=np.uint16).reshape(40, 40))
    empty = write_labels(tmp_path / "a_label.tif", np.zeros((40, 40), np.uint8))
    words = ("--labels", empty, "--truth", empty, "--model", tiny_critic, "-o", tmp_path / "out")
    result = call("review", tmp_path / "a.tif", *words, "--calibrate", tmp_path / "c.json")
    assert result.exit_code == 1, result.output
    assert "Error: " in result.stderr and result.exception.__class__ is SystemExit
    assert (tmp_path / "out" / "a_errors.ome.tif").exists()
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    ("command", "variables", "given"),
    [
        ("measure", {"JSON": "{json}"}, ("-o", "{csv}")),
        ("export", {"TO": "geojson", "OUTPUT": "{geojson}", "JSON": "{json}"}, ()),
        ("export", {"KIND": "geojson", "JSON_PATH": "{json}"}, ("-o", "{geojson}")),
    ],
)
def test_options_in_the_environment_have_the_names_of_the_command_line(
    call: Call,
    labels: Path,
    command: str,
    variables: dict[str, str],
    given: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {name: str(labels.parent / f"a.{name}") for name in ("json", "csv", "geojson")}
    for name, value in variables.items():
        monkeypatch.setenv(f"NAPARI_SSP_{command.upper()}_{name}", value.format(**places))
    done = call(command, labels, *(word.format(**places) for word in given))
    assert done.exit_code == 0, done.output
    assert json.loads(Path(places["json"]).read_text())["labels"] == str(labels)


def test_each_option_is_found_in_the_environment_by_its_flag() -> None:
    context = click.Context(main, info_name="napari-ssp", auto_envvar_prefix="NAPARI_SSP")

    def check(command: click.Command, words: list[str]) -> None:
        for option in command.params:
            if isinstance(option, click.Option):
                flags = [opt.lstrip("-").replace("-", "_").upper() for opt in option.opts]
                assert option.envvar in {"_".join([*words, flag]) for flag in flags if flag[1:]}
        for name, inner in getattr(command, "commands", {}).items():
            check(inner, [*words, name.replace("-", "_").upper()])

    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        check(command, ["NAPARI_SSP", name.replace("-", "_").upper()])
