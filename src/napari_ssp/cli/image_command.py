"""Base of the commands that make an image of each image."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.batch.image_batch import Batch
from napari_ssp.cli.batch.report import check_report
from napari_ssp.cli.options import compute_option
from napari_ssp.cli.preferred import describe_preferred
from napari_ssp.cli.reporting import json_option, say

if TYPE_CHECKING:
    from collections.abc import Callable

#: Options of all such commands, after their own.
_ENDS = (
    compute_option,
    click.option(
        "--format",
        "kind",
        type=click.Choice(["tiff", "zarr"]),
        default="tiff",
        show_default=True,
        help="OME-TIFF, or OME-Zarr for large images.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
    json_option,
)


#: Options of commands for many images; :func:`image_command` puts them into the batch.
_BATCH = (
    click.option("--subfolders", is_flag=True, help="Also images in the folders of a folder."),
    click.option(
        "--resume", is_flag=True, help="Skip images whose results are there, and finish others."
    ),
    click.option(
        "--retries",
        type=click.IntRange(0, 100),
        default=0,
        show_default=True,
        help="How often images that failed for what may pass (drive, memory) are tried again.",
    ),
    click.option(
        "--report",
        "reports",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        callback=check_report,
        help="Write what became of each image: a table, .csv, or a page with pictures, .html.",
    ),
)


def image_command(noun: str, metavar: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command that takes ``paths`` and a ``batch``.

    Parameters
    ----------
    noun : str
        What is written: "label images".
    metavar : str
        Name of an argument in the help.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def command(**given: Any) -> None:
            if preferred := describe_preferred(click.get_current_context()):
                say(preferred)
            shared = {k: given.pop(k) for k in Batch.__dataclass_fields__ if k in given}
            function(batch=Batch(**shared, choices=given), **given)

        # What comes first in the help is decorated last; the command's own options stand between.
        own, command.__click_params__ = getattr(function, "__click_params__", []), []  # type: ignore[attr-defined]
        for option in reversed(_ENDS):
            command = option(command)
        command.__click_params__ += own  # type: ignore[attr-defined]
        for option in reversed(_arguments(noun, metavar)):
            command = option(command)
        return command

    return decorate


def batch_options(function: Callable[..., None]) -> Callable[..., None]:
    """Decorate an `image_command` with the options of commands for many images."""
    for option in reversed(_BATCH):
        function = option(function)
    return function


def _arguments(noun: str, metavar: str) -> tuple[Callable[[Any], Any], ...]:
    file = click.Path(exists=True, path_type=Path)
    folder = click.Path(file_okay=False, path_type=Path)
    words = f"Folder for the {noun}; made when missing."
    return (
        click.argument("paths", nargs=-1, required=True, type=file, metavar=f"{metavar}..."),
        click.option("-o", "--output", required=True, type=folder, help=words),
    )
