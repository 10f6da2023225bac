"""How tests use a dock as a person does."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.service import PlanRequest

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels
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


class Hand:
    """A person's mouse, in pixels of a layer; positions (y, x)."""

    def __init__(self, viewer: napari.Viewer, layer: Labels) -> None:
        self._viewer, self._layer = viewer, layer
        self._backend = viewer.window._qt_viewer.canvas._scene_canvas._backend

    def draw(self, *points: tuple[float, ...]) -> None:
        places = [self._on_canvas(point) for point in points]
        self._backend._vispy_mouse_press(pos=places[0], button=1, modifiers=())
        for place in places[1:]:
            time.sleep(0.011)  # vispy leaves out moves that come sooner
            self._backend._vispy_mouse_move(pos=place, modifiers=())
        self._backend._vispy_mouse_release(pos=places[-1], button=1, modifiers=())

    def _on_canvas(self, point: tuple[float, ...]) -> tuple[int, int]:
        world = np.array(self._layer.data_to_world(point))[-2:]
        camera = self._viewer.scene.camera
        height, width = self._viewer.canvas.size
        y, x = (world - camera.center[-2:]) * camera.zoom + (height / 2, width / 2)
        return round(float(x)), round(float(y))
