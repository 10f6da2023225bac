"""The command line: the same requests as the docks, for scripts and nights."""

from __future__ import annotations

import atexit
import importlib
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from napari_ssp import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Commands and where they live; loaded when called, so that ``--help`` is quick.
_COMMANDS = {
    "segment": "napari_ssp.cli.segment:segment",
    "compartments": "napari_ssp.cli.compartments:compartments",
    "predict": "napari_ssp.cli.predict:predict",
    "review": "napari_ssp.cli.review:review",
    "measure": "napari_ssp.cli.objects.measure:measure",
    "track": "napari_ssp.cli.objects.track:track",
    "classify": "napari_ssp.cli.objects.classify:classify",
    "export": "napari_ssp.cli.objects.export:export",
    "evaluate": "napari_ssp.cli.evaluate.command:evaluate",
    "train": "napari_ssp.cli.training.commands:train",
    "data": "napari_ssp.cli.data:data",
    "models": "napari_ssp.cli.models:models",
    "serve": "napari_ssp.cli.serve:serve",
    "compute-script": "napari_ssp.cli.compute_script:compute_script",
    "info": "napari_ssp.cli.info:info",
}
#: What the names of options in the environment begin with.
_PREFIX = "NAPARI_SSP"
#: Exit code of what Ctrl-C or a scheduler has ended, as shells give it.
_INTERRUPTED = 130


class _LazyGroup(click.Group):
    def main(self, args: Sequence[str] | None = None, *more: Any, **how: Any) -> Any:
        codes: list[Any] = []
        if args is None:  # those of this process, which ends with the command
            atexit.register(_leave, codes)  # before all others, so that it is called after them
            # Schedulers of clusters end a job so: it stops as cleanly as by Ctrl-C.
            with suppress(ValueError):  # in another thread than the main one
                signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return super().main(args, *more, **how)
        except SystemExit as end:
            codes.append(end.code)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        # rich takes a while to import, and --help does without it.
        from napari_ssp.cli.reporting import output_errors, say

        try:
            with output_errors():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            say("Aborted!")
            ctx.exit(_INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        _name_variables(command, f"{_PREFIX}_{cmd_name}")
        return command


def _name_variables(command: click.Command, prefix: str) -> None:
    """Let options be named in the environment as they are on the command line.

    click goes by the names of the function's parameters, which still hold.
    """
    for option in command.params:
        if isinstance(option, click.Option):
            option.envvar = _variable(f"{prefix}_{max(option.opts, key=len).lstrip('-')}")
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            _name_variables(inner, f"{prefix}_{name}")


def _variable(words: str) -> str:
    return words.replace("-", "_").upper()


def _leave(codes: list[Any]) -> None:
    """End at once after an interrupt: to take all modules apart needs seconds once torch is there.

    Threads of jobs are over, and what is done at the exit was done.
    """
    if codes != [_INTERRUPTED]:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or none at all
            stream.flush()
    os._exit(_INTERRUPTED)


_SETTINGS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": _PREFIX}


@click.group(cls=_LazyGroup, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="napari-ssp")
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    help="Threads of the CPU that runs in this process take [default: as OMP_NUM_THREADS or "
    "napari's Preferences say, else all cores].",
)
@click.pass_context
def main(context: click.Context, threads: int) -> None:
    """Interactive microscopy prediction: cells and fluorescent structures."""
    # They take a while to import, and --version does without them.
    from napari_ssp.cli.preferred import preferred_defaults
    from napari_ssp.preferences import read_preferences
    from napari_ssp.threads import chosen_threads

    context.default_map = preferred_defaults(read_preferences())
    context.with_resource(chosen_threads(threads))
