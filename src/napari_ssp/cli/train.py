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
from napari_ssp.service import ModelService, TrainRequest, TrainStructuresRequest

_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_source = click.Path(exists=True, path_type=Path)
_output = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run and its model; a run that was interrupted in it goes on.",
)


@click.group()
def train() -> None:
    """Train models on your own images."""


@train.command()
@click.option("--data", multiple=True, required=True, type=_folder, help="Holds images and labels.")
@click.option("--validation", multiple=True, type=_folder, help="Scored, not learned from.")
@click.option("--exclude", multiple=True, help="Name, without ending, of an image to leave out.")
@_output
@request_options(
    TrainRequest,
    "name",
    "base",
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
    _train(request, json_path)


@train.command()
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=_source,
    help="A folder with signal and target, a CSV file with columns signal, target and task, or "
    "what 'data prepare structures' wrote.",
)
@click.option("--validation", multiple=True, type=_source, help="Scored, not learned from.")
@click.option("--exclude", multiple=True, help="Name, without ending, of a signal to leave out.")
@click.option(
    "--task", "tasks", multiple=True, help="Structure, in the order of the model's list of them."
)
@click.option("--describe", multiple=True, metavar="TASK=TEXT", help="One line about a structure.")
@click.option(
    "--crop",
    nargs=3,
    type=int,
    default=(32, 128, 128),
    show_default=True,
    metavar="Z Y X",
    help="Lengths of a crop, multiples of 16; thin stacks take fewer planes by themselves.",
)
@_output
@request_options(
    TrainStructuresRequest,
    "name",
    "recipe",
    "base_channels",
    "minutes",
    "steps",
    "learning_rate",
    "batch_size",
    "projection",
    "voxel_size",
    "seed",
    "workers",
    "device",
)
@json_option
def structures(describe: tuple[str, ...], json_path: Path | None, **choices: Any) -> None:
    """Train a RepMode on stacks of transmitted light with measured fluorescence."""
    with as_usage_error():
        request = TrainStructuresRequest(descriptions=_descriptions(describe), **choices)
    _train(request, json_path)


def _descriptions(words: tuple[str, ...]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    bad = [task for task, sign, text in pairs if not (task and sign and text)]
    if bad:
        raise ValueError(f"--describe takes TASK=TEXT, got '{bad[0]}'.")
    return {task.strip(): text.strip() for task, _, text in pairs}


def _train(request: TrainRequest | TrainStructuresRequest, json_path: Path | None) -> None:
    try:
        with ModelService() as service:
            model = wait_for(service.submit(request), request.name)
    except USER_ERRORS as error:
        fail([one_line(error)])
        return
    click.echo(f"The model is in {model.folder}. Use it with --model {model.folder}.", err=True)
    report = {"name": model.name, "folder": model.folder, "metrics": model.metrics}
    write_report(report, json_path)
