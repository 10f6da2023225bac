"""``napari-ssp train segmentation``: labelled images in, a model of cells out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.options import compute_option, request_options
from napari_ssp.cli.reporting import as_usage_error, json_option
from napari_ssp.cli.training.running import (
    all_choices,
    output_option,
    run_in_processes,
    run_training,
    source_type,
    written_choices,
)
from napari_ssp.schema import restore
from napari_ssp.service import TrainRequest
from napari_ssp.service.compute.places import LOCAL
from napari_ssp.service.training.recipes import recipe_names

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--data",
    multiple=True,
    type=source_type,
    help="A folder of 'images' and 'labels' (or 'masks'), or of images with their labels beside "
    "them (a.tif, a_masks.tif), or a CSV file with columns image and label.",
)
@click.option(
    "--validation",
    multiple=True,
    type=source_type,
    help="Scored, not learned from [default: a part of the data is set aside].",
)
@click.option("--exclude", multiple=True, help="Name, without ending, of an image to leave out.")
@output_option
@click.option(
    "--config",
    help=f"JSON file with choices, or one of {', '.join(recipe_names())}; options given here win.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@request_options(
    TrainRequest,
    "name",
    "base",
    "encoder",
    "encoder_weights",
    "pab_channels",
    "minutes",
    "epochs",
    "steps",
    "trainable",
    "keep_statistics",
    "lora_rank",
    "learning_rate",
    "weight_decay",
    "smoothing",
    "batch_size",
    "fit_to_time",
    "zoom",
    "crop",
    "augmentation",
    "sampling",
    "boundary_exclusion",
    "ignore_label",
    "number_parts",
)
@click.option(
    "--replay", multiple=True, type=source_type, help="As --data: images that the base knows."
)
@request_options(
    TrainRequest,
    "replay_share",
    "most_forgotten",
    "most_learned",
    "install",
    "seed",
    "workers",
    "device",
    "precision",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="Processes that train together, as a rule one for each graphics card.",
)
@click.option("--decoder-channels", default="128,64,32,16", show_default=True, help="By commas.")
@compute_option
@json_option
@click.pass_context
def segmentation(
    context: click.Context,
    /,
    config: str | None,
    resume: bool,
    processes: int,
    compute: str,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Train a MEDIAR-Former on images and labels, from folders or CSV files.

    A part of the images is set aside. The base model is scored on it first, and the best weights of
    the run become the model.
    """
    with as_usage_error():
        written = written_choices("segmentation", config, resume, choices["output"])
        request = _request(all_choices(context, choices, written))
        if processes > 1 and compute != LOCAL:
            raise ValueError(
                f"--processes are {processes} of this computer, and --compute {compute} trains "
                "elsewhere in one: give only one of them."
            )
    if processes > 1 and "RANK" not in os.environ:
        run_in_processes(processes)
    run_training(request, json_path, compute)


def _request(values: dict[str, Any]) -> TrainRequest:
    if isinstance(channels := values.get("decoder_channels"), str):
        values["decoder_channels"] = [int(n) for n in channels.split(",")]
    if not values.get("data"):
        raise ValueError("Training needs --data: a folder of 'images' and 'labels', or a CSV file.")
    return restore(TrainRequest, values)
