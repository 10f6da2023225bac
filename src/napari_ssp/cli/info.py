"""``napari-ssp info``: versions, devices, folders, and where defaults come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from napari_ssp.cli.preferred import BY_DEFAULT, PREFERRED, Origin, find_origins, find_threads
from napari_ssp.cli.reporting import json_option, output_console, write_report
from napari_ssp.preferences import preferences_file, read_preferences
from napari_ssp.registry import cache_folder
from napari_ssp.registry.folders import MOVED_BY, models_folder, models_folders
from napari_ssp.service import devices, versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@click.command()
@json_option
@click.pass_context
def info(context: click.Context, json_path: Path | None) -> None:
    """Show versions, devices, folders of the user's models, and where defaults come from."""
    group = context.parent
    assert group is not None
    commands = find_origins(group)
    report: dict[str, Any] = {
        "versions": versions(),
        "devices": devices(),
        "cache": str(cache_folder()),
        "preferences": str(preferences_file() or ""),
        "models_folder": _find_folder()._asdict(),
        "other_models_folders": [str(folder) for folder in models_folders()[1:]],
        "threads": find_threads(group)._asdict(),
        "options": {
            command: {name: origin._asdict() for name, origin in options.items()}
            for command, options in commands.items()
        },
    }
    if str(json_path) != "-":
        table = Table("", "", show_header=False)
        for row in _rows(report):
            table.add_row(*row)
        output_console().print(table)
    write_report(report, json_path)


def _rows(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from report["versions"].items()
    for device in report["devices"]:
        yield f"device {device['name']}", device["description"]
    yield "models of yours", _words(report["models_folder"])
    yield from (("more models of yours", folder) for folder in report["other_models_folders"])
    yield "threads", _words(report["threads"])
    for command, options in report["options"].items():
        yield command, ", ".join(f"{name} {_words(origin)}" for name, origin in options.items())
    yield "Preferences", report["preferences"]


def _words(origin: dict[str, Any]) -> str:
    value = "automatic" if origin["value"] is None else origin["value"]  # a critic, by the labels
    return f"{value} ({origin['source']})"


def _find_folder() -> Origin:
    folder = str(models_folder())
    if os.environ.get(MOVED_BY):
        return Origin(folder, MOVED_BY)
    return Origin(folder, PREFERRED if read_preferences().folder else BY_DEFAULT)
