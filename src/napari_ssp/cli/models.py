"""``napari-ssp models``: what is installed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from napari_ssp.cli.reporting import as_usage_error, json_option, write_report
from napari_ssp.registry import find_card, list_cards

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def models() -> None:
    """Show the installed models."""


@models.command("list")
@json_option
def list_models(json_path: Path | None) -> None:
    """List the installed models."""
    cards = list_cards()
    if str(json_path) != "-":
        table = Table("model", "family", "licence", "what it is")
        for card in cards:
            table.add_row(card.name, card.family, card.licence, card.description)
        Console().print(table)
    write_report({"models": [asdict(card) for card in cards]}, json_path)


@models.command("info")
@click.argument("model")
@json_option
def model_info(model: str, json_path: Path | None) -> None:
    """Show the card of MODEL, a name or a folder."""
    with as_usage_error():
        card = find_card(model)
    if str(json_path) != "-":
        table = Table("", "", show_header=False)
        for key, value in asdict(card).items():
            table.add_row(key.replace("_", " "), str(value))
        Console().print(table)
    write_report(asdict(card), json_path)
