"""Training of any kind, step by step: check the data, learn, judge, write the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_ssp.progress import Progress, retell
from napari_ssp.registry.folders import make_models_folder
from napari_ssp.service.results import TrainedModel
from napari_ssp.service.training.away import wait_home
from napari_ssp.service.training.conclusion import conclude
from napari_ssp.service.training.kinds import find_kind
from napari_ssp.service.training.manifest import write_manifest
from napari_ssp.service.training.measuring import fit_steps
from napari_ssp.service.training.plan import find_planner, plan_training
from napari_ssp.service.training.request_files import write_request
from napari_ssp.service.training.requests import TrainRequest, TrainStructuresRequest
from napari_ssp.training.loop import fit
from napari_ssp.training.processes import connect_processes, read_process_group
from napari_ssp.training.run_files import has_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.progress import Steps
    from napari_ssp.service.results import DataSize, TrainingPlan
    from napari_ssp.service.training.kind import PreparedTraining, TrainingData
    from napari_ssp.service.training.request_files import Training

    Learn = Callable[[Training, TrainingPlan, TrainingData], Steps[Training]]


def train_steps(
    request: Training,
    plan: TrainingPlan | None = None,
    record: bool = True,
    learn: Learn | None = None,
) -> Steps[TrainedModel]:
    """Train a model; an interrupted run in the same folder is continued.

    Parameters
    ----------
    request : TrainRequest, TrainStructuresRequest or MaskRequest
        What to learn.
    plan : TrainingPlan or None
        What the request means, where that was found out already.
    record : bool
        Write the request into the run's folder.
    learn : callable or None
        Steps that have the data learned from elsewhere: they leave the run in its folder, and
        return the request that its model is made with. None learns here.

    Yields
    ------
    Progress
        After every image read, optimiser step and scored image. While learning, the preview is a
        `TrainingState`.

    Returns
    -------
    TrainedModel
        Where the model is, its scores and whether it was installed.

    Raises
    ------
    FileNotFoundError, ValueError
        When data or base cannot be used, or the folder's run is of another kind.
    """
    kind, processes = find_kind(request), read_process_group()
    yield from wait_home(request.output)
    yield Progress("reading training images")
    plan = plan or plan_training(request)  # refused before anything is read
    if processes.is_main and request.install != "never":
        make_models_folder()  # refused before the training, not after it
    yield from kind.check(request)
    started, alone = has_checkpoint(request.output), processes.world_size == 1
    # Elsewhere another pace is measured; a run that goes on keeps its batches wherever it does.
    fits = alone and (started or learn is None)
    if fits and isinstance(request, TrainRequest | TrainStructuresRequest):
        request = yield from fit_steps(request, plan.size)
    request.output.mkdir(parents=True, exist_ok=True)
    if processes.is_main:
        write_manifest(kind.entries(plan.files), request.output, started)
    if processes.is_main and record:
        write_request(request)
    data = yield from kind.read(plan.files, request, processes.rank)
    try:
        if learn is not None:
            request = yield from learn(request, plan, data)
        with connect_processes(processes):
            prepared = yield from kind.prepare(request, plan.base, data)
            learning = fit(prepared.run, prepared.batches, prepared.score)
            if learn is not None:  # nothing is left to learn, and nobody watches this computer
                learning = retell(learning, lambda _: Progress("making the model"))
            yield from learning
            if not processes.is_main:
                return TrainedModel(request.name, request.output)
            model = yield from _conclude(prepared)
            doubts = (*data.warnings, *filter(None, [prepared.run.doubt]))
            said = " ".join((model.sentence, *doubts))
            return replace(model, sentence=said, warnings=(*plan.warnings, *doubts))
    finally:
        data.close()


def learn_steps(
    request: TrainRequest | TrainStructuresRequest, size: DataSize, data: TrainingData
) -> Steps[None]:
    """Learn from data that were read elsewhere, in a folder of their own; no model is made."""
    request = yield from fit_steps(request, size)
    write_request(request)
    base = find_planner(request).base_card(request)
    prepared = yield from find_kind(request).prepare(request, base, data)
    yield from fit(prepared.run, prepared.batches, prepared.score)


def _conclude(prepared: PreparedTraining) -> Steps[TrainedModel]:
    mixture = None
    if prepared.mix is not None:
        mixture = yield from prepared.mix()
    how = prepared.judged, prepared.dtype, mixture, prepared.model
    return conclude(prepared.run, prepared.card, *how)
