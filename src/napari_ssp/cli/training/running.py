"""Shared parts of the commands that train."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from napari_ssp.cli.reporting import (
    USER_ERRORS,
    as_usage_error,
    fail,
    json_option,
    one_line,
    result_of,
    say,
    wait_for,
    write_report,
)
from napari_ssp.progress import run
from napari_ssp.registry import find_card
from napari_ssp.service import (
    FinishTrainingRequest,
    ModelService,
    PlanRequest,
    TrainRequest,
    TrainStructuresRequest,
)
from napari_ssp.service.compute.places import LOCAL, find_place
from napari_ssp.service.results import TrainingPlan
from napari_ssp.service.training.away import is_away, wait_home
from napari_ssp.service.training.pace import PaceRequest, describe_pace, is_limited_by_time
from napari_ssp.service.training.recipes import read_recipe
from napari_ssp.service.training.request_files import REQUEST_FILE, read_values

if TYPE_CHECKING:
    from napari_ssp.service import Job, Plan, TrainedModel
    from napari_ssp.service.training.request_files import Training

folder_type = click.Path(exists=True, file_okay=False, path_type=Path)
#: Folders and tables that training data come from.
source_type = click.Path(exists=True, path_type=Path)
output_option = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run and its model; a run that was interrupted in it goes on.",
)


def all_choices(
    context: click.Context, choices: dict[str, Any], written: dict[str, Any]
) -> dict[str, Any]:
    """Choices of a training: of the command line, else written, else what is said for all runs.

    Parameters
    ----------
    context, choices
        The command's.
    written : dict
        Choices of a configuration, or of the run to go on with.
    """
    usual = _from(context, choices, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
    return {**usual, **written, **_from(context, choices, ParameterSource.COMMANDLINE)}


def _from(
    context: click.Context, choices: dict[str, Any], *sources: ParameterSource
) -> dict[str, Any]:
    found = {n: v for n, v in choices.items() if context.get_parameter_source(n) in sources}
    if {"steps", "epochs"} & set(found) and "minutes" not in found:
        found["minutes"] = None
    return found


def written_choices(task: str, config: str | None, resume: bool, output: Path) -> dict[str, Any]:
    """Choices of a configuration, or of the run to go on with.

    Raises
    ------
    FileNotFoundError, ValueError
        When there are none, or they are of another task.
    """
    if config and resume:
        raise ValueError("A run goes on with its own choices: give --resume or --config.")
    if not config and not resume:
        return {}
    values = read_recipe(config, task) if config else read_values(output / REQUEST_FILE)
    found = values.pop("task", "segmentation")
    if found != task:
        raise ValueError(f"These are the choices of training {found}, not of {task}.")
    return values


def run_training(
    request: Training | FinishTrainingRequest, json_path: Path | None, compute: str = LOCAL
) -> TrainedModel | None:
    """Say what will be done, do it, and say what came of it; one of several processes says it."""
    with as_usage_error():
        place = find_place(compute)
        if base := getattr(request, "base", None):
            find_card(base)
    if os.environ.get("RANK", "0") != "0":
        with ModelService() as service:
            result_of(service.submit(request))
        return None
    try:
        with ModelService(compute) as service:
            plan = _say_plan(service, request, place.kind == LOCAL)
            model = _wait_for(service.submit(request, plan))
    except USER_ERRORS as error:
        fail([one_line(error)])
        return None
    if model.sentence:
        say(model.sentence)
    use = model.name if model.installed else model.folder
    say(f"The model is in {model.folder}. Use it with --model {use}.")
    report = {
        "name": model.name,
        "folder": model.folder,
        "metrics": model.metrics,
        "base_metrics": model.base_metrics,
        "is_better": model.is_better,
        "installed": model.installed,
        "sentence": model.sentence,
        "warnings": list(model.warnings),
    }
    write_report(report, json_path)
    return model


def _say_plan(
    service: ModelService, request: Training | FinishTrainingRequest, is_here: bool
) -> Plan | None:
    """Plan a training and say it; the pace is told of this computer alone."""
    if isinstance(request, FinishTrainingRequest):
        return None
    plan: Plan = result_of(service.submit(PlanRequest(request)))
    for line in (*plan.warnings, plan.summary):
        say(line)
    for line in _pace_lines(service, request, plan) if is_here else ():
        say(line)
    return plan


def _wait_for(job: Job[TrainedModel]) -> TrainedModel:
    """Wait for a training; an interrupt leaves the time to fetch what was learned elsewhere."""
    folder: Path | None = getattr(job.request, "output", None)
    try:
        model: TrainedModel = wait_for(job, getattr(job.request, "name", "finishing"))
        return model
    except KeyboardInterrupt:
        if folder is not None and is_away(folder):
            say(f"Stopping it where it computes; what was learned comes to {folder}.")
            run(wait_home(folder))
        raise


def _pace_lines(service: ModelService, request: Training, plan: Plan) -> tuple[str, ...]:
    """Say what this computer will make of a time; nothing where steps or epochs are counted."""
    if not isinstance(request, TrainRequest | TrainStructuresRequest):
        return ()
    if not isinstance(plan, TrainingPlan) or not is_limited_by_time(request):
        return ()
    pace = wait_for(service.submit(PaceRequest(request)), "measuring")
    fact, warnings = describe_pace(request, pace, plan.size)
    return f"{fact[0].upper()}{fact[1:]}.", *warnings


def run_in_processes(count: int) -> None:
    """Start this command again in several processes that train together, and end with them."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    command = [sys.executable, *launcher, "-m", "napari_ssp.cli", *sys.argv[1:]]
    sys.exit(subprocess.run(command, check=False).returncode)


@click.command()
@click.argument("run", type=folder_type)
@click.option(
    "--install",
    type=click.Choice(["better", "always", "never"]),
    help="Put the model among the installed ones [default: as the run was started].",
)
@json_option
def finish(run: Path, install: str | None, json_path: Path | None) -> None:
    """Make a model of the best that the stopped run in the folder RUN has reached."""
    run_training(FinishTrainingRequest(run, install), json_path)
