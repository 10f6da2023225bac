"""Comparison of a review with the truth, in the dock: what it says in words, and two plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_ssp.service import JobState
from napari_ssp.service.review.judging import JudgeRequest
from napari_ssp.service.review.picture import draw_picture
from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.layers.alignment import same_part

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_ssp.service import Review
    from napari_ssp.service.review.judging import Judgement
    from napari_ssp.widgets.docks.relay import Outcome

_WIDTH = 330  # pixels, as the dock has at least


@dataclass(frozen=True, eq=False)
class Judged:
    """What the truth says, made ready for display on the worker."""

    judgement: Judgement
    picture: bytes


class TruthView(QWidget):
    """Words and plots; setters in: ``set_judged``, ``say``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.message, self.picture = MessageLine(), QLabel()
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.message)
        layout.addWidget(self.picture)
        self.set_judged(None)

    def set_judged(self, judged: Judged | None) -> None:
        """Show what the truth says, or nothing."""
        self.setVisible(judged is not None)
        if judged is not None:
            self.message.say(_sentence(judged.judgement))
            pixels = QPixmap()
            pixels.loadFromData(judged.picture)
            smooth = Qt.TransformationMode.SmoothTransformation
            self.picture.setPixmap(pixels.scaledToWidth(_WIDTH, smooth))
        self.picture.setVisible(judged is not None)

    def say(self, text: str) -> None:
        """Say why there is nothing to show."""
        self.picture.setVisible(False)
        self.message.say(text, "warning")
        self.setVisible(True)


class TruthCheck(QObject):
    """Compares reviews with a labels layer that is right, off the GUI thread.

    Setters in: ``start``, ``close``. Signal out: ``settled``, when the view shows what came of it.

    Parameters
    ----------
    view : TruthView
        Shows it.
    parent : QObject
        When it is deleted, the work is cancelled.
    """

    settled = Signal()

    def __init__(self, view: TruthView, parent: QObject) -> None:
        super().__init__(parent)
        self._view = view
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._show)

    def start(self, review: Review, labels: Labels, truth: Labels | None) -> None:
        """Compare a review of labels with the truth; without one the view is emptied."""
        self._runner.cancel()
        self._view.set_judged(None)
        if truth is None or truth is labels:
            return
        try:
            drawn, true = same_part(labels, truth)
        except (ValueError, TypeError) as error:
            self._view.say(error_line(error))
            return
        self._runner.start(JudgeRequest(review, drawn, true), _prepared)

    def close(self) -> None:
        """Compare no more."""
        self._runner.cancel()

    def _show(self, outcome: Outcome) -> None:
        if outcome.state is JobState.DONE:
            self._view.set_judged(outcome.value)
        elif outcome.state is JobState.FAILED:
            self._view.say(error_line(outcome.error))
        self.settled.emit()


def _prepared(judgement: Judgement) -> Judged:
    return Judged(judgement, draw_picture(judgement, columns=1))


def _sentence(found: Judgement) -> str:
    scores: dict[str, Any] = found.scores()
    objects, pixels = scores["objects"], scores["pixels"]
    return (
        f"Against the truth: {objects['wrong']} of {objects['count']} objects are wrong (IoU below "
        f"0.5). Predicted and true errors of objects go together with a rank correlation of "
        f"{objects['spearman']:.2f}; the probabilities of pixels are off by "
        f"{pixels['expected_calibration_error']:.3f} on average."
    )
