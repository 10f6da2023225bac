"""``napari-ssp train critic``: true labels and what models made of the images, a critic out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.options import compute_option, request_options
from napari_ssp.cli.reporting import as_usage_error, json_option
from napari_ssp.cli.training.running import (
    all_choices,
    folder_type,
    output_option,
    run_training,
    source_type,
    written_choices,
)
from napari_ssp.schema import restore
from napari_ssp.service.training.critic.requests import TrainCriticRequest

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--data",
    multiple=True,
    type=source_type,
    help="A folder of 'images' and 'labels', or a CSV file with columns image and label.",
)
@click.option(
    "--validation",
    multiple=True,
    type=source_type,
    help="Scored and calibrated on, not learned from [default: a part of the data is set aside].",
)
@click.option(
    "--mistakes",
    multiple=True,
    type=folder_type,
    help="A folder of labels that a model made of the images, as 'napari-ssp segment' writes them.",
)
@click.option(
    "--reviews",
    multiple=True,
    metavar="MODEL",
    help="A model that made such labels: this critic is taken for its results from then on.",
)
@click.option("--exclude", multiple=True, help="Name, without ending, of an image to leave out.")
@output_option
@click.option("--config", help="JSON file with choices; options given here win.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@request_options(
    TrainCriticRequest,
    "name",
    "minutes",
    "epochs",
    "steps",
    "learning_rate",
    "weight_decay",
    "smoothing",
    "batch_size",
    "object_diameter",
    "crop",
    "mistakes_share",
    "faults_share",
    "install",
    "seed",
    "workers",
    "device",
)
@compute_option
@json_option
@click.pass_context
def critic(
    context: click.Context,
    /,
    config: str | None,
    resume: bool,
    compute: str,
    json_path: Path | None,
    **choices: Any,
) -> None:
    """Train a critic, which predicts where labels are wrong, without a truth.

    It learns from faults planted into true labels, and from labels that models made (--mistakes).
    """
    with as_usage_error():
        written = written_choices("critic", config, resume, choices["output"])
        values = all_choices(context, choices, written)
        if not values.get("data"):
            raise ValueError(
                "Training needs --data: a folder of 'images' and 'labels', or a CSV file."
            )
        request = restore(TrainCriticRequest, values)
    run_training(request, json_path, compute)
