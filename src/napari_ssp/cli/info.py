"""``napari-ssp info``: versions, devices, cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from napari_ssp.cli.reporting import json_option, output_console, write_report
from napari_ssp.registry import cache_folder
from napari_ssp.service import devices, versions

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@json_option
def info(json_path: Path | None) -> None:
    """Show versions, devices and the folder of the user's models."""
    report: dict[str, Any] = {
        "versions": versions(),
        "devices": devices(),
        "cache": str(cache_folder()),
    }
    if str(json_path) != "-":
        table = Table("", "", show_header=False)
        for name, version in report["versions"].items():
            table.add_row(name, version)
        for device in report["devices"]:
            table.add_row(f"device {device['name']}", device["description"])
        table.add_row("models of yours", report["cache"])
        output_console().print(table)
    write_report(report, json_path)
