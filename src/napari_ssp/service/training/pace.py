"""Request to measure a computer's pace at a training, and what to say of it; loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from napari_ssp.service.requests import Request
from napari_ssp.service.results import DataSize
from napari_ssp.service.training.plan import find_planner, find_workload
from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest
from napari_ssp.training.pace import FEWEST_STEPS, Pace, fit_to_time

if TYPE_CHECKING:
    from napari_ssp.training.pace import Crop

Training = TrainRequest | TrainStructuresRequest
T = TypeVar("T", bound=TrainRequest | TrainStructuresRequest)
_Key = tuple[Any, ...]
#: What was measured since the program was started.
_MEASURED: dict[_Key, Pace] = {}
_UNKNOWN = DataSize()


@dataclass(frozen=True, eq=False)
class PaceRequest(Request[Pace]):
    """Find out how fast this computer trains, by a step and a look of a network with no data.

    Attributes
    ----------
    request : TrainRequest or TrainStructuresRequest
        What is to be trained.
    """

    request: Training


def is_limited_by_time(request: Training) -> bool:
    """Whether a training ends by time only, so that its pace decides what is learned."""
    return find_workload(request).ends_by_time(request)


def known_pace(request: Training) -> Pace | None:
    """Pace that was measured already; None where it was not."""
    return _MEASURED.get(_key(request))


def remember_pace(request: Training, pace: Pace) -> None:
    """Keep a pace, so that it is measured once."""
    _MEASURED[_key(request)] = pace


def _key(request: Training) -> _Key:
    workload = find_workload(request)
    card = workload.network_card(request, find_planner(request).base_card(request))
    network = card.family, str(card.network)
    return *network, *workload.settings(request), request.machine.device


def crop_of(request: Training, size: DataSize = _UNKNOWN) -> Crop:
    """Crop that a training takes of such images."""
    return find_workload(request).crop(request, size)


def with_batches(request: T, batch: int, crop: Crop) -> T:
    """Request with other batches and crops."""
    schedule: Any = replace(request.schedule, batch_size=batch)
    smaller: T = find_workload(request).with_crop(request, crop)
    return replace(smaller, schedule=schedule)


def is_fitted(request: Training) -> bool:
    """Whether batches and crops are to fit the time."""
    return request.schedule.fit_to_time and is_limited_by_time(request)


def fitted(request: T, pace: Pace, size: DataSize = _UNKNOWN) -> T:
    """Request whose batches and crops fit its time, where it is to be fitted.

    Parameters
    ----------
    request : TrainRequest or TrainStructuresRequest
        What was asked for.
    pace : Pace
        Of this computer.
    size : DataSize
        How much is learned from, where that is known.
    """
    schedule, sides = request.schedule, find_workload(request).sides
    if schedule.minutes is None or not is_fitted(request):
        return request
    asked = schedule.batch_size, crop_of(request, size)
    fitting = fit_to_time(pace, schedule.minutes, *asked, sides)
    return request if fitting == asked else with_batches(request, *fitting)


def describe_pace(
    request: Training, pace: Pace, size: DataSize = _UNKNOWN
) -> tuple[str, tuple[str, ...]]:
    """Fact and warnings for the plan of a training that ends by time."""
    smaller = fitted(request, pace, size)
    batch, crop = smaller.schedule.batch_size, crop_of(smaller, size)
    count = pace.steps_a_minute(batch, crop)
    fact = f"about {_round(count)} steps a minute on this computer ({pace.device}"
    fact += f" in {pace.precision})"
    if smaller != request:
        shown = find_workload(request).describe(crop)
        fact += f", with batches of {batch} crops of {shown} to fit the time"
    minutes = request.schedule.minutes
    if minutes is None:
        return fact, ()
    if size.scored:
        scoring = pace.scoring(size.scored, len(crop), minutes)
        words = f"about {_round(scoring)} s" if scoring >= 1 else "less than a second"
        fact += f", and {words} for each scoring"
    if pace.steps(minutes, batch, crop) >= FEWEST_STEPS:
        return fact, ()
    return fact, (
        f"In {minutes:g} minute{'s' * (minutes != 1)} this computer takes about "
        f"{_round(pace.steps(minutes, batch, crop))} steps, so that little is learned: choose "
        f"{pace.minutes_needed(batch, crop)} minutes.",
    )


def _round(count: float) -> str:
    """Round to what is known of it: two digits."""
    return f"{count:.1f}" if count < 3 else f"{float(f'{count:.2g}'):g}"
