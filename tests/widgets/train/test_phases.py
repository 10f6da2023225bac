"""Phases of a training, without a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_ssp.service import (
    FinishTrainingRequest,
    SavePairsRequest,
    TrainedModel,
    TrainingState,
    TrainRequest,
)
from napari_ssp.widgets.train.phases import (
    Finishing,
    Idle,
    Learning,
    Phase,
    Saving,
    note_progress,
    phase_after_result,
    phase_after_stop,
    request_to_submit,
    run_folder,
)

RUN = Path("run")
REQUEST: Any = TrainRequest(data=(Path("data"),), output=RUN)
PAIRS = SavePairsRequest(())
MODEL = TrainedModel("mine", RUN)
STEP_0, STEP_9 = (TrainingState(step, 0.0, 1.0, 0.0, 0.5) for step in (0, 9))


@pytest.mark.parametrize(
    ("phase", "request_", "after_stop", "after_result", "folder"),
    [
        (Idle(), None, Idle(), Idle(MODEL), None),
        (Saving(REQUEST, PAIRS), PAIRS, Idle(), Learning(REQUEST), None),
        (Learning(REQUEST), REQUEST, Idle(), Idle(MODEL), RUN),
        (Learning(REQUEST, STEP_0), REQUEST, Idle(), Idle(MODEL), RUN),
        (Learning(REQUEST, STEP_9), REQUEST, Finishing(RUN), Idle(MODEL), RUN),
        (Finishing(RUN), FinishTrainingRequest(RUN), Idle(), Idle(MODEL), RUN),
        (
            Finishing(RUN, "always"),
            FinishTrainingRequest(RUN, "always"),
            Idle(),
            Idle(MODEL),
            RUN,
        ),
    ],
)
def test_what_a_phase_does_and_what_follows_it(
    phase: Phase, request_: Any, after_stop: Phase, after_result: Phase, folder: Path | None
) -> None:
    assert request_to_submit(phase) == request_
    assert phase_after_stop(phase) == after_stop
    assert phase_after_result(phase, MODEL) == after_result
    assert run_folder(phase) == folder


def test_only_learning_takes_note_of_states() -> None:
    assert note_progress(Learning(REQUEST, STEP_0), STEP_9) == Learning(REQUEST, STEP_9)
    assert note_progress(Learning(REQUEST, STEP_9), None) == Learning(REQUEST, STEP_9)
    for phase in (Idle(), Saving(REQUEST, PAIRS), Finishing(RUN)):
        assert note_progress(phase, STEP_9) == phase
