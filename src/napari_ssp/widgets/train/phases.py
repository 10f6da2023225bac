"""Phases of a training in the Train dock: one frozen value each, and what follows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.service import FinishTrainingRequest, TrainingState

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service import (
        Request,
        SavePairsRequest,
        TrainedModel,
        TrainRequest,
        TrainStructuresRequest,
    )


@dataclass(frozen=True)
class Idle:
    """Nothing is under way; maybe a model has just been made."""

    model: TrainedModel | None = None


@dataclass(frozen=True)
class Saving:
    """The layers are written; then the training begins."""

    request: TrainRequest | TrainStructuresRequest
    pairs: SavePairsRequest


@dataclass(frozen=True)
class Learning:
    """The network learns; the state is the last that was told."""

    request: TrainRequest | TrainStructuresRequest
    state: TrainingState | None = None


@dataclass(frozen=True)
class Finishing:
    """A model is made of the best so far of a run that was stopped, or is installed."""

    run: Path
    install: str | None = None


Phase = Idle | Saving | Learning | Finishing


def request_to_submit(phase: Phase) -> Request[Any] | None:
    """Work of a phase; None where there is none."""
    if isinstance(phase, Saving):
        return phase.pairs
    if isinstance(phase, Finishing):
        return FinishTrainingRequest(phase.run, phase.install)
    return phase.request if isinstance(phase, Learning) else None


def note_progress(phase: Phase, preview: Any) -> Phase:
    """Phase after a step of its work."""
    if isinstance(phase, Learning) and isinstance(preview, TrainingState):
        return replace(phase, state=preview)
    return phase


def phase_after_stop(phase: Phase) -> Phase:
    """Phase after Stop: what has been learned becomes a model."""
    if isinstance(phase, Learning) and phase.state is not None and phase.state.step > 0:
        return Finishing(phase.request.output)
    return Idle()


def phase_after_result(phase: Phase, value: Any) -> Phase:
    """Phase after its work was done."""
    return Learning(phase.request) if isinstance(phase, Saving) else Idle(value)


def run_folder(phase: Phase) -> Path | None:
    """Folder of the run that a phase is about; None where the training has not begun."""
    if isinstance(phase, Learning):
        return phase.request.output
    return phase.run if isinstance(phase, Finishing) else None
