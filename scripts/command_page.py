"""The help of all commands, for the page of the site that speaks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from napari_ssp.cli import main as napari_ssp

if TYPE_CHECKING:
    from collections.abc import Iterator


def sections() -> str:
    """Write a section for each command."""
    return "".join(_sections(click.Context(napari_ssp, info_name="napari-ssp"), 2))


def _sections(context: click.Context, level: int) -> Iterator[str]:
    context.terminal_width = 100
    help_text = context.command.get_help(context)
    yield f"\n{'#' * level} {context.command_path}\n\n```text\n{help_text}\n```\n"
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            yield from _sections(click.Context(command, parent=context, info_name=name), level + 1)
