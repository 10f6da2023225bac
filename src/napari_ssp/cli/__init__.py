"""The command line: the same requests as the docks, for scripts and nights."""

from __future__ import annotations

import importlib
from typing import Any

import click

from napari_ssp import __version__

#: Commands and where they live; loaded when called, so that ``--help`` is quick.
_COMMANDS = {
    "segment": "napari_ssp.cli.segment:segment",
    "predict": "napari_ssp.cli.predict:predict",
    "measure": "napari_ssp.cli.measure:measure",
    "export": "napari_ssp.cli.export:export",
    "evaluate": "napari_ssp.cli.evaluate:evaluate",
    "train": "napari_ssp.cli.train:train",
    "data": "napari_ssp.cli.data:data",
    "models": "napari_ssp.cli.models:models",
    "info": "napari_ssp.cli.info:info",
}


class _LazyGroup(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        # rich takes a while to import, and --help does without it.
        from napari_ssp.cli.reporting import output_errors

        with output_errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="napari-ssp")
def main(**_: Any) -> None:
    """Interactive microscopy prediction: cells and fluorescent structures."""
