"""Runs of a dock as napari knows them: a bar in the activity dock, and a task to ask about.

While a run is under way, napari asks before it closes its window.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, cast

from napari.utils import progress
from napari.utils.task_status import Status
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication, QLabel, QMainWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_ssp.progress import Progress
    from napari_ssp.widgets.docks.job_controller import JobController

_PROVIDER = "napari-ssp"
_FULL = 100
#: Shorter runs are over before anybody looks for a bar; and how often one moves.
_SHORT_MS, _STEP_MS = 1000, 250


class _Bar:
    """Bar in the activity dock; no Qt object, so that it can be closed while its owner dies."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._is_wanted = False

    def show(self, words: str) -> None:
        if self._is_wanted:  # one run superseded another, or napari is still making the bar
            return
        self._is_wanted = True
        # Without a file of its own the bar is written to the terminal, too.
        silent = open(os.devnull, "w", encoding="utf-8")
        self._shown = progress(total=_FULL, desc=words, file=silent)
        _hold_spinner()
        if not self._is_wanted:  # napari handled other events meanwhile, the end among them
            self.close()

    def move(self, now: Progress) -> None:
        if self._shown is not None and now.fraction is not None:
            self._shown.update(round(_FULL * now.fraction) - self._shown.n)

    def close(self) -> None:
        self._is_wanted = False
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.close()
            shown.fp.close()


class Activity(QObject):
    """Tells napari of what a controller runs.

    Parameters
    ----------
    controller : JobController
        Whose runs are told; the owner of this object.
    viewer : napari.Viewer
        In whose window they run.
    """

    def __init__(self, controller: JobController, viewer: napari.Viewer) -> None:
        super().__init__(controller)
        self._noun = ""
        self._viewer = weakref.ref(viewer)
        self._cancel = weakref.WeakMethod(controller.cancel)
        self._task: Any = None
        self._bar = _Bar()
        self._now: Progress | None = None
        # napari handles other events, a run's end among them, while it makes or moves a bar: not
        # while others are still to be told of what came before.
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._show_bar)
        controller.started.connect(self._begin)
        controller.progressed.connect(self._note)
        controller.stopped.connect(self._end)
        controller.ended.connect(self._end)
        self.destroyed.connect(self._bar.close)

    def _begin(self) -> None:
        noun = cast("JobController", self.parent()).noun.capitalize()
        if noun != self._noun:  # a bar of the run before would go on under its name
            self._bar.close()
        self._noun = noun
        self._set_status(Status.BUSY, f"{self._noun} is running")
        self._now = None
        self._timer.start(_SHORT_MS)

    def _show_bar(self) -> None:
        self._timer.setInterval(_STEP_MS)
        self._bar.show(f"{self._noun} ({_PROVIDER})")
        if self._now is not None:
            self._bar.move(self._now)

    def _note(self, now: Progress, text: str) -> None:
        self._now = now

    def _end(self) -> None:
        self._timer.stop()
        self._bar.close()
        self._set_status(Status.COMPLETED, "")

    def _set_status(self, status: Status, description: str) -> None:
        """Keep the dock's task, where this napari knows tasks; it has no public call for it."""
        window = getattr(self._viewer(), "window", None)
        register = getattr(window, "_register_task_status", None)
        update = getattr(window, "_update_task_status", None)
        if register is None or update is None:
            return
        if self._task is None:
            self._task = register(_PROVIDER, status, description, _call_weakly(self._cancel))
        else:
            update(self._task, status, description)


def _call_weakly(method: weakref.WeakMethod[Callable[[], bool]]) -> Callable[[], bool]:
    """Make a function of a method that does not keep its object; napari keeps it for good."""

    def call() -> bool:
        found = method()
        return found is not None and found()

    return call


def _hold_spinner() -> None:
    """Stop the turning wheel of napari's status bar, which draws the whole window for each frame.

    Without a graphics card that takes a quarter of a core from the run.
    """
    for window in QApplication.topLevelWidgets():
        bar = window.statusBar() if isinstance(window, QMainWindow) else None
        for label in bar.findChildren(QLabel) if bar is not None else ():
            if (movie := label.movie()) is not None:
                movie.stop()
