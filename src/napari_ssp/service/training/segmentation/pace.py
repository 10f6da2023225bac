"""Request to measure a computer's pace at a training, and what to say of it; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import ModelCard
from napari_ssp.service.requests import Request
from napari_ssp.service.training.segmentation.plan import base_card
from napari_ssp.training.pace import FEWEST_STEPS, Pace, fit_to_time

if TYPE_CHECKING:
    from napari_ssp.service.training.requests import TrainRequest

_Key = tuple[Any, ...]
#: What was measured since the program was started.
_MEASURED: dict[_Key, Pace] = {}


@dataclass(frozen=True, eq=False)
class PaceRequest(Request[Pace]):
    """Find out how fast this computer trains, by a step and a look of a network with no data.

    Attributes
    ----------
    request : TrainRequest
        What is to be trained.
    """

    request: TrainRequest


def is_limited_by_time(request: TrainRequest) -> bool:
    """Whether a training ends by time only, so that its pace decides what is learned."""
    limits = request.schedule
    return limits.minutes is not None and limits.steps is None and limits.epochs is None


def network_card(request: TrainRequest, base: ModelCard | None = None) -> ModelCard:
    """Card of the network that is trained: that of the base, or one from scratch."""
    return base or ModelCard(
        name=request.name,
        family="mediar",
        network={
            "encoder": request.network.encoder,
            "decoder_channels": list(request.network.decoder_channels),
            "pab_channels": request.network.pab_channels,
        },
        sha256="",
    )


def known_pace(request: TrainRequest) -> Pace | None:
    """Pace that was measured already; None where it was not."""
    return _MEASURED.get(_key(request))


def remember_pace(request: TrainRequest, pace: Pace) -> None:
    """Keep a pace, so that it is measured once."""
    _MEASURED[_key(request)] = pace


def _key(request: TrainRequest) -> _Key:
    card = network_card(request, base_card(request))
    learned = (request.forgetting.trainable, request.forgetting.lora_rank)
    return str(card.network), *learned, request.machine.device, request.machine.precision


def fitted(request: TrainRequest, pace: Pace) -> TrainRequest:
    """Request whose batches and crops fit its time, where it is to be fitted."""
    schedule, crops = request.schedule, request.crops
    if schedule.minutes is None or not (schedule.fit_to_time and is_limited_by_time(request)):
        return request
    batch, crop = fit_to_time(pace, schedule.minutes, schedule.batch_size, crops.crop)
    return replace(
        request,
        schedule=replace(schedule, batch_size=batch),
        crops=replace(crops, crop=crop),
    )


def describe_pace(request: TrainRequest, pace: Pace) -> tuple[str, tuple[str, ...]]:
    """Fact and warnings for the plan of a training that ends by time."""
    smaller = fitted(request, pace)
    batch, crop = smaller.schedule.batch_size, smaller.crops.crop
    count = pace.steps_a_minute(batch, crop)
    fact = f"about {_round(count)} steps a minute on this computer ({pace.device}"
    fact += f" in {pace.precision})"
    if smaller != request:
        fact += f", with batches of {batch} crops of {crop} px to fit the time"
    minutes = request.schedule.minutes
    if minutes is None or pace.steps(minutes, batch, crop) >= FEWEST_STEPS:
        return fact, ()
    return fact, (
        f"In {minutes:g} minute{'s' * (minutes != 1)} this computer takes about "
        f"{_round(pace.steps(minutes, batch, crop))} steps, so that little is learned: choose "
        f"{pace.minutes_needed(batch, crop)} minutes.",
    )


def _round(count: float) -> str:
    """Round to what is known of it: two digits."""
    return f"{count:.1f}" if count < 3 else f"{float(f'{count:.2g}'):g}"
