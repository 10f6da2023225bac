"""A training that is sent to a worker: what goes, what cannot go, what is kept of the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.schema import flatten, restore
from napari_ssp.service.compute.lending import MOST_SENT, call_model
from napari_ssp.service.compute.trainings.lesson import Lesson, read_run, write_run
from napari_ssp.service.training.kinds import find_kind
from napari_ssp.service.training.pace import crop_of, with_batches
from napari_ssp.service.training.request_files import write_request
from napari_ssp.training.run_files import has_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service.compute.lending import Book
    from napari_ssp.service.compute.trainings.lesson import Learned
    from napari_ssp.service.results import TrainingPlan
    from napari_ssp.service.training.request_files import Training


def check_sending(request: Training) -> None:
    """Refuse a training that cannot be sent, before anything is looked at.

    Raises
    ------
    ValueError
        When its kind does not travel, or it begins with weights of this computer that are no model.
    """
    if find_kind(request).luggage is None:
        raise ValueError(
            f"'{request.name}' is trained on files that the server does not have, and only images "
            "with labels and stacks with structures are sent. Train it here: local, or on "
            "processes or a cluster, which see the files."
        )
    weights = flatten(request).get("encoder_weights")
    if weights is not None and not has_checkpoint(request.output):
        raise ValueError(
            f"The encoder's weights '{weights}' are looked for on this computer, and are not sent "
            "to a server. Give a base model in their place, or train here: local."
        )


def check_files(request: Training, plan: TrainingPlan) -> None:
    """Refuse files that are too large to be sent, before they are read.

    Raises
    ------
    ValueError
        As `check_size`.
    """
    paths = {entry.path for entry in find_kind(request).entries(plan.files)}
    check_size(sum(map(_count_bytes, paths)))


def check_size(size: int) -> None:
    """Refuse data of more bytes than are sent.

    Raises
    ------
    ValueError
        Which says how large they are.
    """
    if size > MOST_SENT:
        raise ValueError(
            f"The training data have {size / 2**30:.1f} GiB, and at most {MOST_SENT / 2**30:.0f} "
            "GiB are sent to a server. Leave images out, or train here: local, or on processes or "
            "a cluster, which see the files."
        )


def make_lesson(
    request: Training, plan: TrainingPlan, data: Any
) -> tuple[Lesson, dict[Book, Path | None]]:
    """Make a training independent of this computer's files; also the models that go with it."""
    books: dict[Book, Path | None] = {}
    values = flatten(request)
    values |= {name: () for name in ("validation", "replay") if name in values}
    values |= {"data": [path.name for path in request.data], "output": "run"}
    if values["base"] is not None:
        values["base"] = call_model(values["base"], books)
    luggage = find_kind(request).luggage
    assert luggage is not None
    packed, run = luggage.pack(data), read_run(request.output)
    return Lesson(restore(type(request), values), plan.size, packed, run), books


def keep_learned(learned: Learned, request: Any) -> Any:
    """Write what was learned into the run's folder of this computer.

    Returns
    -------
    TrainRequest or TrainStructuresRequest
        The request, with the batches and crops that fitted the worker.
    """
    write_run(learned.run, request.output)
    batch, crop = learned.request.schedule.batch_size, crop_of(learned.request)
    fitted = with_batches(request, batch, crop)
    write_request(fitted)
    return fitted


def made_here(request: Any) -> Any:
    """Request whose model is made on this computer, whatever it was to be trained on."""
    return replace(request, machine=replace(request.machine, device="auto", workers=0))


def _count_bytes(path: Path) -> int:
    files = [part for part in path.rglob("*") if part.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
