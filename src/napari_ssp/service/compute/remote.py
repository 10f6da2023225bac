"""Steps of a request that is done elsewhere: it is sent, followed and, when it got lost, resent."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.engine import prepare_torch
from napari_ssp.progress import Progress, Steps, in_background
from napari_ssp.service.compute.by_path import name_pixels
from napari_ssp.service.compute.lending import Loan, lend, restore_names
from napari_ssp.service.compute.lost import LostError
from napari_ssp.service.compute.wire import Parcel, pack, raise_error, read_missing, unpack
from napari_ssp.service.estimating import EstimateRequest
from napari_ssp.service.requests import (
    BlockRequest,
    DiameterRequest,
    PredictRequest,
    SegmentRequest,
)
from napari_ssp.service.review.calibrating import mark_accepted
from napari_ssp.service.review.plan import plan_review
from napari_ssp.service.review.requests import Review, ReviewRequest
from napari_ssp.service.training.away import away, wait_home
from napari_ssp.service.training.plan import plan_training
from napari_ssp.service.training.request_files import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.service.compute.cluster import Cluster, Task
    from napari_ssp.service.requests import Request
    from napari_ssp.service.results import TrainedModel, TrainingPlan
    from napari_ssp.service.training.request_files import Training

#: Seconds between two looks whether all is well.
_PAUSE = 0.1
#: Seconds between two questions how many are before one.
_LOOK = 2.0
#: Seconds in which a lost connection must be there again.
_PATIENCE = 60.0
#: How often a request is sent; one that ends its server each time is given up.
_ATTEMPTS = 3


def find_remote_steps(
    request: Request[Any],
) -> Callable[[Request[Any], Cluster], Steps[Any]] | None:
    """Find the steps that have a request done elsewhere; None where it is done in this process."""
    return _REMOTE.get(type(request))


def remote_steps(request: Request[Any], cluster: Cluster) -> Steps[Any]:
    """Have a request done by a cluster.

    Parameters
    ----------
    request : Request
        What to do.
    cluster : Cluster
        Who does it.

    Yields
    ------
    Progress
        The worker's own, and in between the last one again.

    Returns
    -------
    Any
        The result, as the request gives it on this computer.

    Raises
    ------
    Exception
        What the worker raised, as the nearest built-in error.
    ConnectionError
        When the connection broke and could not be made again.
    """
    parcel, loan = yield from in_background(_pack(request, cluster.shares_files))
    result = yield from _deliver(cluster, parcel, loan)
    return result if loan is None else restore_names(result, request)


def _deliver(
    cluster: Cluster, parcel: Parcel, loan: Loan | None, keep: Callable[[Any], None] | None = None
) -> Steps[Any]:
    """Have a parcel answered, and send it again when the connection was lost.

    Parameters
    ----------
    cluster : Cluster
        Who answers.
    parcel : Parcel
        What is asked.
    loan : Loan or None
        What goes with it.
    keep : callable or None
        Gets what a worker has by then when these steps are closed; None has it dropped at once.
    """
    patience = 0.0  # what does not answer at first is no lost connection
    for _ in range(_ATTEMPTS):
        yield from _connect(cluster, patience)
        try:
            answer = yield from _ask(cluster, parcel, loan, keep)
        except LostError:
            yield Progress("the connection was lost; connecting again")
            patience = _PATIENCE
            continue
        raise_error(answer)
        return unpack(answer)
    raise ConnectionError(
        f"The connection to what computes was lost {_ATTEMPTS} times while it worked on this "
        "request. Look at its log, or compute in this process: local."
    )


def _pack(request: Request[Any], shares_files: bool) -> Steps[tuple[Parcel, Loan | None]]:
    if shares_files:
        request, words = name_pixels(request)
        yield Progress(words)
        return pack(request), None
    yield Progress("reading the image")
    loan = lend(request)
    return pack(loan.request), loan


def _ask(
    cluster: Cluster, parcel: Parcel, loan: Loan | None, keep: Callable[[Any], None] | None
) -> Steps[Parcel]:
    """Have a parcel answered; weights that a worker lacks are sent first."""
    books = None if loan is None else loan.books
    while True:
        answer = yield from _follow(cluster.submit(parcel, books), keep)
        missing, worker = read_missing(answer)
        if loan is None or not missing:
            return answer
        for sha256 in missing:
            yield from in_background(_send(cluster, sha256, loan, worker))


def _send(cluster: Cluster, sha256: str, loan: Loan, worker: str) -> Steps[None]:
    yield Progress("sending the model")
    cluster.send_weights(sha256, loan.weights[sha256], worker)


def _connect(cluster: Cluster, patience: float) -> Steps[None]:
    """Connect; with patience, try again while nobody answers."""
    end = time.monotonic() + patience
    while True:
        try:
            return (yield from in_background(_connect_once(cluster)))
        except ConnectionError:
            if time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def _connect_once(cluster: Cluster) -> Steps[None]:
    yield Progress("connecting")
    cluster.connect()


def _follow(task: Task, keep: Callable[[Any], None] | None) -> Steps[Parcel]:
    """Follow a task to its answer; until it begins, say now and then where it stands."""
    last, has_begun, look = Progress("waiting for a free worker"), False, time.monotonic()
    try:
        while not task.is_over:
            yield last
            news = task.wait(_PAUSE)
            if news is not None:
                last, has_begun = news, True
            elif not has_begun and time.monotonic() >= look:
                last = Progress(task.describe_standing() or last.stage)
                look = time.monotonic() + _LOOK
        return task.answer()
    except GeneratorExit:
        answer = None if keep is None else task.stop(_PATIENCE)
        if keep is not None and answer is not None:
            keep(unpack(answer))
        raise
    finally:
        task.close()


def _remote_review(request: ReviewRequest, cluster: Cluster) -> Steps[Review]:
    """As `remote_steps`; a calibration that is named lies on this computer, and is applied here."""
    yield Progress("reading the labels")
    calibration = plan_review(request).calibration if request.calibration else None
    found: Review = yield from remote_steps(replace(request, calibration=None), cluster)
    if calibration is None:
        return found
    mark_accepted(found.table, calibration, request.wrong_share)
    asked = {**found.provenance["request"], "calibration": request.calibration}
    record = {**found.provenance, "request": asked}
    return replace(found, wrong_share=request.wrong_share, provenance=record)


def _remote_training(request: Training, cluster: Cluster) -> Steps[TrainedModel]:
    """Train where files are seen; else read them here, and make the model of what is learned."""
    if not cluster.shares_files:
        return (yield from _train_with(request, cluster))
    yield from wait_home(request.output)
    with away(request.output):
        # Stopped, not dropped: its folder is that of the next one that goes on with it.
        model: TrainedModel = yield from _deliver(cluster, pack(request), None, lambda _: None)
        return model


def _train_with(request: Training, cluster: Cluster) -> Steps[TrainedModel]:
    """Read the data here, and have somebody else learn from them."""
    yield Progress("looking through the training data")
    prepare_torch()
    from napari_ssp.service.compute.trainings.sending import check_files, check_sending
    from napari_ssp.service.training.steps import train_steps

    check_sending(request)
    plan = plan_training(request)
    check_files(request, plan)
    return (yield from train_steps(request, plan, learn=partial(_learn, cluster)))


def _learn(cluster: Cluster, request: Training, plan: TrainingPlan, data: Any) -> Steps[Training]:
    from napari_ssp.service.compute.trainings.sending import (
        check_size,
        keep_learned,
        made_here,
        make_lesson,
    )

    yield Progress("sending the training data")
    lesson, books = make_lesson(request, plan, data)
    parcel = pack(lesson)
    check_size(parcel.nbytes)
    with away(request.output):
        learned = yield from _deliver(
            cluster, parcel, Loan.of(lesson, books), lambda found: keep_learned(found, request)
        )
        fitted = keep_learned(learned, request)
    if learned.error:
        raise_error(Parcel(learned.error, []))
    here: Training = made_here(fitted)
    return here


def _no_estimate(request: Request[Any], cluster: Cluster) -> Steps[float]:
    """Tell no time: this computer's pace says nothing about another one's."""
    yield Progress("measuring the pace")
    return math.nan


_REMOTE: dict[type[Request[Any]], Callable[[Any, Cluster], Steps[Any]]] = {
    SegmentRequest: remote_steps,
    DiameterRequest: remote_steps,
    BlockRequest: remote_steps,
    PredictRequest: remote_steps,
    ReviewRequest: _remote_review,
    EstimateRequest: _no_estimate,
    **dict.fromkeys(TASKS.values(), _remote_training),
}
