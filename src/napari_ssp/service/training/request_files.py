"""Requests to train as files: of runs, and configurations that name only some values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import write_text
from napari_ssp.schema import flatten, restore
from napari_ssp.service.training.critic.requests import TrainCriticRequest
from napari_ssp.service.training.expansion.requests import (
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest

if TYPE_CHECKING:
    from pathlib import Path


REQUEST_FILE = "request.json"
#: Choices that earlier versions do not know, written only where they are not these.
_LATER = {"number_parts": False, "fit_to_time": True, "encoder_weights": None}

Training = (
    TrainRequest
    | TrainStructuresRequest
    | TrainTeacherRequest
    | TrainStudentRequest
    | TrainExpansionRequest
    | TrainCriticRequest
)
#: Requests by the word for their task.
TASKS: dict[str, type[Training]] = {
    "segmentation": TrainRequest,
    "structures": TrainStructuresRequest,
    "teacher": TrainTeacherRequest,
    "student": TrainStudentRequest,
    "expansion": TrainExpansionRequest,
    "critic": TrainCriticRequest,
}


def write_request(request: Training) -> None:
    """Write ``request.json`` into the run's folder."""
    task = next(name for name, kind in TASKS.items() if isinstance(request, kind))
    values = flatten(request).items()
    chosen = {name: value for name, value in values if _LATER.get(name, ...) != value}
    text = json.dumps({"task": task, **chosen}, indent=2)
    write_text(request.output / REQUEST_FILE, text + "\n")


def read_values(path: Path) -> dict[str, Any]:
    """Values of a request's file, or of a configuration that names only some; ``task`` among them.

    Raises
    ------
    FileNotFoundError, ValueError
        When there is no such file, or it holds no such values.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path.name} in {path.parent}, so there is no run to go on with. Give the "
            "folder of a training that was started."
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(values, dict) or values.get("task", "segmentation") not in TASKS:
        raise ValueError(
            f"{path} is no training request: it must hold named values, 'task' among them "
            f"({' or '.join(TASKS)})."
        )
    return values


def read_request(folder: Path) -> Training:
    """Request that a run was started with.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_values`.
    """
    values = read_values(folder / REQUEST_FILE)
    kind = TASKS[values.pop("task", "segmentation")]
    return restore(kind, {**values, "output": folder})
