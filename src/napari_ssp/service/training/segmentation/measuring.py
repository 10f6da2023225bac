"""Measurement of a computer's pace: one training step and one prediction, a few seconds."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import compute_training_dtype, release_memory, resolve_device
from napari_ssp.progress import Progress
from napari_ssp.registry.weights import build_network
from napari_ssp.service.training.request_files import REQUEST_FILE, read_request
from napari_ssp.service.training.requests import TrainRequest
from napari_ssp.service.training.segmentation.pace import (
    PaceRequest,
    fitted,
    is_limited_by_time,
    known_pace,
    network_card,
    remember_pace,
)
from napari_ssp.service.training.segmentation.plan import base_card
from napari_ssp.training.adapting import choose_trainable, learning_parameters, train_mode
from napari_ssp.training.loop import choose_precision
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.pace import Pace
from napari_ssp.training.run_files import CHECKPOINT_FILE

if TYPE_CHECKING:
    from torch import nn

    from napari_ssp.progress import Steps

#: Crops that are measured on a CPU, and their side; another device takes those of the request.
_BATCH, _CROP = 2, 256
#: Side of the crops that warm everything up.
_WARM = 64
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


def fit_steps(request: TrainRequest) -> Steps[TrainRequest]:
    """Fit batches and crops to the time; a run that goes on keeps those that it began with."""
    if not (request.schedule.fit_to_time and is_limited_by_time(request)):
        return request
    if (request.output / CHECKPOINT_FILE).exists():
        return _as_begun(request)
    return fitted(request, (yield from pace_steps(PaceRequest(request))))


def _as_begun(request: TrainRequest) -> TrainRequest:
    if not (request.output / REQUEST_FILE).exists():
        return request
    begun = read_request(request.output)
    if not isinstance(begun, TrainRequest):
        return request
    schedule = replace(request.schedule, batch_size=begun.schedule.batch_size)
    return replace(request, schedule=schedule, crops=replace(request.crops, crop=begun.crops.crop))


def _measure(request: TrainRequest) -> Steps[Pace]:
    yield Progress(_STAGE, 0, 3)
    device = resolve_device(request.machine.device)
    network = build_network(network_card(request, base_card(request))).to(device)
    choose_trainable(network, request.forgetting.trainable, request.forgetting.lora_rank)
    batch, crop = _BATCH, _CROP
    if device.type != "cpu":
        batch, crop = request.schedule.batch_size, request.crops.crop
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = request.machine.precision
    try:
        _step(network, _BATCH, _WARM, precision)
        yield Progress(_STAGE, 1, 3)
        step = _step(network, batch, crop, precision)
        yield Progress(_STAGE, 2, 3)
        look = _look(network, crop, precision)
    finally:
        release_memory(device)
    dtype = str(compute_training_dtype(precision, device)).removeprefix("torch.")
    return Pace(1e6 * step / (batch * crop**2), 1e6 * look / crop**2, device.type, dtype)


def _step(network: nn.Module, batch: int, crop: int, precision: str) -> float:
    """Seconds of a step on noise."""
    device = next(network.parameters()).device
    optimiser = torch.optim.AdamW(learning_parameters(network))
    pixels, flows = (torch.rand(batch, n, crop, crop, device=device) for n in (3, 2))
    train_mode(network)
    began = time.monotonic()
    with choose_precision(device, precision=precision):
        output = network(pixels.contiguous(memory_format=torch.channels_last))
    loss = segmentation_loss(output, flows, flows[:, 0])
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    float(loss.detach())  # waits for a card
    return time.monotonic() - began


@torch.inference_mode()
def _look(network: nn.Module, crop: int, precision: str) -> float:
    """Seconds of a prediction of noise."""
    device = next(network.parameters()).device
    pixels = torch.rand(1, 3, crop, crop, device=device)
    network.eval()
    began = time.monotonic()
    with choose_precision(device, precision=precision):
        float(network(pixels.contiguous(memory_format=torch.channels_last)).sum())
    return time.monotonic() - began
