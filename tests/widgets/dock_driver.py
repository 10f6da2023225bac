"""How tests use a dock as a person does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from napari_ssp.service import PlanRequest

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_ssp.service import ModelService
    from napari_ssp.service.jobs import Job
    from napari_ssp.widgets.docks.job_dock import JobDock
    from napari_ssp.widgets.docks.relay import Outcome

LONG = 60_000  # milliseconds; the first run loads torch


def run(dock: JobDock, qtbot: QtBot) -> Outcome:
    """Click Run and wait for the end."""
    plan = settle(dock, qtbot)
    assert dock.panel.run_button.isEnabled(), plan
    with qtbot.waitSignal(dock.done, timeout=LONG) as done:
        dock.panel.run_button.click()
    outcome: Outcome = done.args[0]
    return outcome


def settle(dock: JobDock, qtbot: QtBot) -> str:
    """Wait until the plan is up to date, and read it."""
    if not dock.controller.is_settled:
        with qtbot.waitSignal(dock.planned, timeout=5000):
            pass
    return dock.panel.plan.text().replace("\N{NO-BREAK SPACE}", " ")


class SlowService:
    """The real service, whose jobs wait at a gate once they run; plans do not."""

    def __init__(self, service: ModelService) -> None:
        self.gate = threading.Event()
        self.jobs: list[Job[Any]] = []
        self._service = service

    def submit(self, request: Any, plan: Any = None) -> Job[Any]:
        job = self._service.submit(request, plan)
        if isinstance(request, PlanRequest):
            return job
        job.events.progressed.connect(self._wait)
        self.jobs.append(job)
        return job

    def _wait(self) -> None:
        self.gate.wait(30)
