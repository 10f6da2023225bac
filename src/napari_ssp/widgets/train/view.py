"""View of a training: two curves, a picture, and the facts in a line."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_ssp.widgets.docks.time_left import duration
from napari_ssp.widgets.train.picture import TrainPicture
from napari_ssp.widgets.train.plot import Curve, CurvePlot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.service import TrainingState

#: Scores that are plotted, the first one that a run has, and what to call them.
_SCORES = {
    "f1_0.50": "F1, validation",
    "pcc": "Correlation, validation",
    "r2": "R², validation",
}
_MOST_POINTS = 400
# Losses of single steps jump; the curve shows their trend.
_SMOOTHING = 0.9


class TrainView(QWidget):
    """Curves and picture of a run.

    Setters in: ``set_state``, ``end``, ``clear``. Signal out: ``grown``, when it needs more room.
    """

    grown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.score_plot = CurvePlot("#56b4e9")
        self.loss_plot = CurvePlot("#e0793a")
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.picture = TrainPicture()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.facts, self.score_plot, self.loss_plot, self.picture):
            layout.addWidget(part)
        self.clear()

    def clear(self) -> None:
        """Forget the run and hide."""
        self._losses: list[tuple[float, float]] = []
        self._smooth = math.nan
        self._preview: object = None
        self._state: TrainingState | None = None
        self._seen: tuple[bool, ...] = ()
        self.picture.set_state(None)
        self.setVisible(False)

    def set_state(self, state: TrainingState) -> None:
        """Show how a run stands."""
        self.facts.setText(facts_line(state))
        self._state = state
        self._note_loss(state)
        losses = Curve("Loss, training", tuple(self._losses), end=state.minutes)
        self.loss_plot.set_curve(losses)
        name = score_name(state)
        self.score_plot.setVisible(name is not None)
        if name is not None:
            self.score_plot.set_curve(_scores(state, name))
        if state.preview is not None and state.preview is not self._preview:
            self._preview = state.preview
            self.picture.set_state(state)
        self.setVisible(True)
        parts = (self.score_plot, self.picture)
        seen = tuple(part.isVisibleTo(self) for part in parts)
        if seen != self._seen:
            self._seen = seen
            self.grown.emit()

    def end(self) -> None:
        """Say no longer how much time is left."""
        if self._state is not None:
            self.facts.setText(facts_line(replace(self._state, minutes_left=math.nan)))

    def _note_loss(self, state: TrainingState) -> None:
        if not self._losses:  # a run that goes on
            points = [(row["minutes"], row["loss"]) for row in state.rows]
            self._losses = [(x, y) for x, y in points if math.isfinite(y)]
        if not math.isfinite(state.loss):
            return
        before = state.loss if math.isnan(self._smooth) else self._smooth
        self._smooth = _SMOOTHING * before + (1.0 - _SMOOTHING) * state.loss
        if not self._losses or state.minutes > self._losses[-1][0]:
            self._losses.append((state.minutes, self._smooth))
        if len(self._losses) > _MOST_POINTS:
            self._losses = self._losses[::2]


def score_name(state: TrainingState) -> str | None:
    """Name of the score that is plotted; None before there is one."""
    known = {*state.base, *(state.rows[-1] if state.rows else ())}
    return next((name for name in _SCORES if name in known), None)


def _scores(state: TrainingState, name: str) -> Curve:
    points = tuple((row["minutes"], row[name]) for row in state.rows if _is_number(row, name))
    return Curve(_SCORES[name], points, state.base.get(name), state.best.get(name), state.minutes)


def _is_number(row: Mapping[str, float], name: str) -> bool:
    return math.isfinite(row.get(name, math.nan))


def facts_line(state: TrainingState) -> str:
    """Say where a run stands: passes, steps, time left, device."""
    parts = [f"Epoch {state.epoch:.1f}", f"step {state.step}"]
    if math.isfinite(state.minutes_left):
        parts.append(f"about {duration(60.0 * state.minutes_left)} left")
    if state.device:
        parts.append(f"on {state.device}")
    if score_name(state) is not None:
        parts += _scored_facts(state)
    return ", ".join(parts)


def _scored_facts(state: TrainingState) -> list[str]:
    """Say what a score is worth, where it is not that of all images or of few objects."""
    parts = []
    if state.scored < state.validation:
        parts.append(f"scored on {state.scored} of {state.validation} {state.noun}")
    if state.too_few:
        parts.append(
            f"{state.objects} object{'s' * (state.objects != 1)} scored: too few to judge by"
        )
    return parts
