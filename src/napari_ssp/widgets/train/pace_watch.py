"""Measurement of this computer's pace for the plan of a training, beside all else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ssp.service import JobState
from napari_ssp.service.training.pace import PaceRequest, known_pace
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.train.planning import has_pace

if TYPE_CHECKING:
    from napari_ssp.service import ModelService, Request
    from napari_ssp.widgets.docks.relay import Outcome


class PaceWatch(QObject):
    """Has a pace measured when it is first asked for; signal out: ``known``.

    Parameters
    ----------
    service : ModelService
        Who measures, one after the other with the trainings.
    parent : QObject
        When it is deleted, the measurement is cancelled.
    """

    known = Signal()

    def __init__(self, service: ModelService, parent: QObject) -> None:
        super().__init__(parent)
        self._asked: Request[Any] | None = None
        self._failed = False
        self._runner = Runner(service, self)
        self._runner.ended.connect(self._on_end)

    def ask(self, request: Request[Any] | None) -> bool:
        """Whether the pace of a request can be told: now, or soon.

        Raises
        ------
        FileNotFoundError, ValueError
            When its base model cannot be used.
        """
        if not has_pace(request) or (self._failed and request == self._asked):
            return False
        if known_pace(request) is None and not self._runner.is_running:
            self._asked, self._failed = request, False
            self._runner.start(PaceRequest(request))
        return True

    def cancel(self) -> None:
        """Stop measuring."""
        self._runner.cancel()

    def _on_end(self, outcome: Outcome) -> None:
        self._failed = outcome.state is not JobState.DONE
        self.known.emit()
