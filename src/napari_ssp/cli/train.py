"""``napari-ssp train``: labelled images in, a model out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from napari_ssp.cli.options import request_options
from napari_ssp.cli.reporting import (
    USER_ERRORS,
    as_usage_error,
    fail,
    json_option,
    one_line,
    wait_for,
    write_report,
)
from napari_ssp.service import ModelService, TrainRequest

_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def train() -> None:
    """Train models on your own images."""


@train.command()
@click.option("--data", multiple=True, required=True, type=_folder, help="Holds images and labels.")
@click.option("--validation", multiple=True, type=_folder, help="Scored, not learned from.")
@click.option("--exclude", multiple=True, help="Name, without ending, of an image to leave out.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run and its model; a run that was interrupted in it goes on.",
)
@request_options(
    TrainRequest,
    "name",
    "encoder",
    "pab_channels",
    "minutes",
    "steps",
    "learning_rate",
    "batch_size",
    "zoom",
    "crop",
    "seed",
    "workers",
    "device",
)
@click.option("--decoder-channels", default="128,64,32,16", show_default=True, help="By commas.")
@json_option
def segmentation(decoder_channels: str, json_path: Path | None, **choices: Any) -> None:
    """Train a MEDIAR-Former on folders that hold 'images' and 'labels'."""
    with as_usage_error():
        channels = tuple(int(number) for number in decoder_channels.split(","))
        request = TrainRequest(decoder_channels=channels, **choices)
    try:
        with ModelService() as service:
            model = wait_for(service.submit(request), request.name)
    except USER_ERRORS as error:
        fail([one_line(error)])
        return
    click.echo(f"The model is in {model.folder}. Use it with --model {model.folder}.", err=True)
    report = {"name": model.name, "folder": model.folder, "metrics": model.metrics}
    write_report(report, json_path)
