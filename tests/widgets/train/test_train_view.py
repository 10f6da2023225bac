"""Words of a training under way: what is being done, and what a score is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_ssp.progress import Progress
from napari_ssp.service import TrainingState
from napari_ssp.widgets.train.panel import TrainPanel
from napari_ssp.widgets.train.view import TrainView, facts_line

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def _state(**values: Any) -> TrainingState:
    known = {"step": 1, "minutes": 0.1, "minutes_left": 0.9, "epoch": 0.25, "loss": 0.5}
    return TrainingState(**{**known, **values})


def test_a_score_of_few_objects_and_images_is_said_to_be_one() -> None:
    part = {"base": {"f1_0.50": 0.5}, "scored": 9, "validation": 60}
    assert facts_line(_state(**part, objects=2)) == (
        "Epoch 0.2, step 1, about 54 s left, scored on 9 of 60 validation images, 2 objects "
        "scored: too few to judge by"
    )
    assert facts_line(_state(**part, objects=340)).endswith("of 60 validation images")
    assert facts_line(_state(scored=60, validation=60, objects=340)).endswith("left")


def test_the_loss_is_drawn_from_the_first_step(qtbot: QtBot) -> None:
    view = TrainView()
    qtbot.addWidget(view)
    view.set_state(_state(step=0, minutes=0.0, loss=float("nan")))
    assert view.loss_plot.curve.points == ()
    view.set_state(_state())
    assert view.loss_plot.curve.points == ((0.1, 0.5),)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress("scoring the base", 2, 9), "scoring the base, image 3 of 9 …"),
        (Progress("scoring the base", 9, 9), "scoring the base, image 9 of 9 …"),
        (Progress("scoring", 0, 1), "scoring …"),
        (Progress("learning, loss 0.50, 0.9 min left", 100, 1000), "learning …"),
    ],
)
def test_the_line_says_what_is_being_done(qtbot: QtBot, progress: Progress, words: str) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    panel.set_progress(Progress(progress.stage, progress.done, progress.total, _state()), "")
    assert panel.message.text() == words
