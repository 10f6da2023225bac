"""Measurement of a computer's pace: one training step and one prediction, a few seconds."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, TypeVar

import torch

from napari_ssp.engine import compute_training_dtype, release_memory, resolve_device
from napari_ssp.progress import Progress
from napari_ssp.service.training.kinds import find_kind
from napari_ssp.service.training.pace import (
    PaceRequest,
    crop_of,
    fitted,
    is_fitted,
    known_pace,
    remember_pace,
    with_batches,
)
from napari_ssp.service.training.plan import find_planner, find_workload
from napari_ssp.service.training.request_files import REQUEST_FILE, read_request
from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest
from napari_ssp.training.adapting import learning_parameters, train_mode
from napari_ssp.training.pace import SMALLEST_BATCH, Pace
from napari_ssp.training.run_files import CHECKPOINT_FILE
from napari_ssp.training.step import LAYOUTS, choose_precision, take_step

if TYPE_CHECKING:
    from napari_ssp.progress import Steps
    from napari_ssp.service.results import DataSize
    from napari_ssp.service.training.kind import Trial
    from napari_ssp.training.pace import Crop

T = TypeVar("T", bound=TrainRequest | TrainStructuresRequest)
_STAGE = "measuring the speed of this computer"


def pace_steps(request: PaceRequest) -> Steps[Pace]:
    """Measure the pace of a training, once for a network, device and precision.

    Yields
    ------
    Progress
        Between two measurements.

    Raises
    ------
    FileNotFoundError, ValueError
        When the base model or the device is missing.
    """
    asked = request.request
    pace = known_pace(asked)
    if pace is None:
        pace = yield from _measure(asked)
        remember_pace(asked, pace)
    return pace


def fit_steps(request: T, size: DataSize) -> Steps[T]:
    """Fit batches and crops to the time; a run that goes on keeps those that it began with."""
    if not is_fitted(request):
        return request
    if (request.output / CHECKPOINT_FILE).exists():
        return _as_begun(request)
    return fitted(request, (yield from pace_steps(PaceRequest(request))), size)


def _as_begun(request: T) -> T:
    if not (request.output / REQUEST_FILE).exists():
        return request
    begun = read_request(request.output)
    if not isinstance(begun, type(request)):
        return request
    return with_batches(request, begun.schedule.batch_size, crop_of(begun))


def _measure(request: TrainRequest | TrainStructuresRequest) -> Steps[Pace]:
    yield Progress(_STAGE, 0, 3)
    workload, make_trial = find_workload(request), find_kind(request).trial
    assert make_trial is not None
    device = resolve_device(request.machine.device)
    card = workload.network_card(request, find_planner(request).base_card(request))
    trial = make_trial(request, card, device)
    batch, crop = SMALLEST_BATCH, workload.measured
    if device.type != "cpu":
        batch, crop = request.schedule.batch_size, crop_of(request)
    try:
        # Of two, since the first one warms everything up, and other programs compute as well.
        step = _step(trial, batch, crop)
        yield Progress(_STAGE, 1, 3)
        step = min(step, _step(trial, batch, crop))
        yield Progress(_STAGE, 2, 3)
        look = min(_look(trial, crop), _look(trial, crop))
    finally:
        release_memory(device)
    dtype = compute_training_dtype(trial.precision, device, len(crop) == 3)
    size, numbers = math.prod(crop), str(dtype).removeprefix("torch.")
    return Pace(1e6 * step / (batch * size), 1e6 * look / size, device.type, numbers)


def _step(trial: Trial, batch: int, crop: Crop) -> float:
    """Seconds of a step on noise."""
    optimiser = torch.optim.AdamW(learning_parameters(trial.network))
    noise = trial.noise(batch, crop)
    train_mode(trial.network)
    began = time.monotonic()
    loss = take_step(trial.network, optimiser, trial.loss, noise, trial.precision)
    float(loss)  # waits for a card
    return time.monotonic() - began


@torch.inference_mode()
def _look(trial: Trial, crop: Crop) -> float:
    """Seconds of a prediction of noise."""
    device = next(trial.network.parameters()).device
    (pixels, *_), _ = trial.noise(1, crop)
    pixels = pixels.to(device, memory_format=LAYOUTS[pixels.ndim])
    network = trial.predictor().eval()
    began = time.monotonic()
    with choose_precision(device, len(crop) == 3, trial.precision):
        float(network(pixels).sum())
    return time.monotonic() - began
