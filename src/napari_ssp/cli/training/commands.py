"""``napari-ssp train``: annotated images in, a model out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.options import compute_option, request_options
from napari_ssp.cli.reporting import as_usage_error, json_option
from napari_ssp.cli.training.critic import critic
from napari_ssp.cli.training.masks import expansion, student, teacher
from napari_ssp.cli.training.running import finish, output_option, run_training, source_type
from napari_ssp.cli.training.segmentation import segmentation
from napari_ssp.service import TrainStructuresRequest

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def train() -> None:
    """Train models on your own images."""


train.add_command(segmentation)
train.add_command(teacher)
train.add_command(student)
train.add_command(expansion)
train.add_command(critic)
train.add_command(finish)


@train.command()
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=source_type,
    help="A folder with signal and target, a CSV file with columns signal, target and task, or "
    "what 'data prepare structures' wrote.",
)
@click.option(
    "--validation",
    multiple=True,
    type=source_type,
    help="Scored, not learned from [default: a part of the data is set aside].",
)
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
@output_option
@request_options(
    TrainStructuresRequest,
    "name",
    "base",
    "like",
    "own_expert",
    "install",
    "recipe",
    "base_channels",
    "minutes",
    "steps",
    "learning_rate",
    "batch_size",
    "fit_to_time",
    "projection",
    "voxel_size",
    "seed",
    "workers",
    "device",
)
@compute_option
@json_option
def structures(
    describe: tuple[str, ...], compute: str, json_path: Path | None, **choices: Any
) -> None:
    """Train a RepMode on stacks of transmitted light with measured fluorescence.

    With --base, pairs of one structure that the base does not know add it to the others, whose
    predictions stay the same to the bit.
    """
    with as_usage_error():
        request = TrainStructuresRequest(descriptions=_descriptions(describe), **choices)
    run_training(request, json_path, compute)


def _descriptions(words: tuple[str, ...]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    bad = [task for task, sign, text in pairs if not (task and sign and text)]
    if bad:
        raise ValueError(f"--describe takes TASK=TEXT, got '{bad[0]}'.")
    return {task.strip(): text.strip() for task, _, text in pairs}
