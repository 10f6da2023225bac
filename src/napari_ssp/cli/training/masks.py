"""``napari-ssp train teacher``, ``student`` and ``expansion``: masks, and what is wrong in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from napari_ssp.cli.options import compute_option, request_options
from napari_ssp.cli.reporting import as_usage_error, json_option, say, write_report
from napari_ssp.cli.training.running import (
    all_choices,
    output_option,
    run_training,
    source_type,
    written_choices,
)
from napari_ssp.schema import restore
from napari_ssp.service.training.expansion.requests import (
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.expansion.seeds import describe_scores, for_seed, summarise
from napari_ssp.service.training.recipes import recipe_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.cli.options import Function
    from napari_ssp.service.training.expansion.requests import MaskTraining

_NETWORK = ("architecture", "size", "width", "depth", "heads")
_PACE = ("epochs", "steps", "minutes", "learning_rate", "batch_size")


def _mask_options(task: str, request: type[MaskTraining], *names: str) -> Callable[..., Any]:
    """Decorate a command with the options of all trainings on masks, and some of its own."""
    options: list[Callable[[Any], Any]] = [
        click.option(
            "--data",
            multiple=True,
            type=source_type,
            help="A folder of 'images' and 'masks', a CSV file with columns image and label, or "
            "what 'data prepare mitolab' wrote.",
        ),
        click.option(
            "--validation",
            multiple=True,
            type=source_type,
            help="Scored, not learned from [default: a part of the data is set aside].",
        ),
        click.option("--exclude", multiple=True, help="Name, without ending, to leave out."),
        output_option,
        click.option(
            "--config",
            help=f"JSON file with choices, or one of {', '.join(recipe_names(task))}; options "
            "given here win. One with several seeds trains once with each.",
        ),
        click.option("--resume", is_flag=True, help="Go on with the run in the output folder."),
        request_options(request, "name", *names),
        request_options(request, "structure", "variation", *_PACE),
        request_options(request, "install", "seed", "workers", "device"),
        compute_option,
        json_option,
        click.pass_context,
    ]

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@click.command()
@_mask_options("teacher", TrainTeacherRequest, "measure", *_NETWORK)
def teacher(context: click.Context, /, **choices: Any) -> None:
    """Train a teacher, which predicts the loss of a mask, on corrupted masks."""
    _train(context, "teacher", TrainTeacherRequest, choices)


@click.command()
@_mask_options("student", TrainStudentRequest, "teacher", "measure", *_NETWORK)
def student(context: click.Context, /, **choices: Any) -> None:
    """Train a student on masks: alone, or together with a teacher (--teacher).

    A teacher that learns with the student is written to the folder 'teacher' in that of the run.
    """
    _train(context, "student", TrainStudentRequest, choices)


@click.command()
@click.option(
    "--teacher", "teachers", multiple=True, help="Teacher that judges; several are a committee."
)
@click.option("--unlabelled", multiple=True, type=source_type, help="Images without masks.")
@_mask_options("expansion", TrainExpansionRequest, "base", "weight", "slack")
def expansion(context: click.Context, /, **choices: Any) -> None:
    """Train a student further on images without masks, by what teachers think of its own.

    The held-out images are scored after each pass. As soon as their IoU or the calibration falls,
    the run ends with the best student; one that is not better than its start is not installed.
    """
    _train(context, "expansion", TrainExpansionRequest, choices)


def _train(
    context: click.Context, task: str, kind: type[MaskTraining], choices: dict[str, Any]
) -> None:
    config, resume = choices.pop("config"), choices.pop("resume")
    json_path, compute = choices.pop("json_path"), choices.pop("compute")
    with as_usage_error():
        written = written_choices(task, config, resume, choices["output"])
        values = all_choices(context, choices, written)
        seeds = values.pop("seeds", ())
        if not values.get("data"):
            raise ValueError("Training needs --data: a folder of 'images' and 'masks', or a table.")
        request = restore(kind, values)
    if seeds and "seed" not in values:
        _train_each(request, seeds, json_path, compute)
    else:
        run_training(request, json_path, compute)


def _train_each(
    request: MaskTraining, seeds: list[int], json_path: Path | None, compute: str
) -> None:
    """Train with one seed after the other, and tell mean and spread of the scores."""
    scores = {}
    for seed in seeds:
        model = run_training(for_seed(request, seed), None, compute)
        scores[seed] = model.metrics if model is not None else {}
    table = summarise(scores, request.output)
    for line in describe_scores(table):
        say(line)
    write_report({"folder": request.output, "scores": scores, "summary": table}, json_path)
