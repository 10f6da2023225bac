"""Conclusion of a stopped run: a model made of it, without more training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.engine import resolve_device
from napari_ssp.schema import flatten, restore
from napari_ssp.service.training.away import wait_home
from napari_ssp.service.training.request_files import read_request
from napari_ssp.service.training.steps import train_steps
from napari_ssp.training.records import load_checkpoint

if TYPE_CHECKING:
    from napari_ssp.progress import Steps
    from napari_ssp.service.results import TrainedModel
    from napari_ssp.service.training.request_files import Training
    from napari_ssp.service.training.requests import FinishTrainingRequest


def finish_steps(request: FinishTrainingRequest) -> Steps[TrainedModel]:
    """Score the last weights if nobody did, and make a model of the best.

    The run can still be continued afterwards.

    Yields
    ------
    Progress
        While data are read and validation images are scored.

    Raises
    ------
    FileNotFoundError
        When the folder holds no run.
    ValueError
        When nothing was learned yet.
    """
    yield from wait_home(request.folder)
    original = _for_this_computer(read_request(request.folder))
    state, _ = load_checkpoint(request.folder)
    if state is None or not state["step"]:
        raise ValueError(
            f"The run in {request.folder} has not learned anything yet, so there is no model to "
            "make of it. Start it again; it goes on where it stopped."
        )
    ended = restore(type(original), flatten(original) | {"steps": int(state["step"])})
    if request.install is not None:
        ended = replace(ended, install=request.install)
    return (yield from train_steps(ended, record=False))


def _for_this_computer(request: Training) -> Training:
    """Request without a device that only the computer has that the run was done on."""
    try:
        resolve_device(request.machine.device)
    except ValueError:
        machine: Any = replace(request.machine, device="auto")
        return replace(request, machine=machine)
    return request
