"""Dock with a run panel, driven by a controller."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal

from napari_ssp.service import JobState
from napari_ssp.widgets.docks.activity import Activity
from napari_ssp.widgets.docks.dock_widget import DockWidget
from napari_ssp.widgets.docks.messages import error_line, is_expected
from napari_ssp.widgets.docks.viewer_watch import ViewerWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_ssp.service import Request
    from napari_ssp.widgets.docks.job_controller import JobController
    from napari_ssp.widgets.docks.relay import Outcome
    from napari_ssp.widgets.docks.run_panel import RunPanel

_LOG = logging.getLogger(__name__)


class JobDock(DockWidget):
    """Column of widgets with a run panel; shows what its controller says.

    A dock is composed: ``drive`` gives it a controller, ``add`` what is in the column, ``watch`` a
    viewer to listen to.

    Parameters
    ----------
    panel : RunPanel
        Shows the plan, the progress and the end.

    Attributes
    ----------
    planned : Signal
        The plan, or the obstacle, on display is up to date.
    done : Signal(Outcome)
        A run has ended and its result is in the viewer; not emitted after Cancel.
    left : Signal
        As of any :class:`DockWidget`; the job is stopped then.
    """

    planned = Signal()
    done = Signal(object)

    def __init__(self, panel: RunPanel) -> None:
        super().__init__()
        self.panel = panel
        self.controller: JobController

    def run(self) -> None:
        """Do what is chosen, as the Run button does."""
        self.controller.run()

    def cancel(self) -> None:
        """Stop the run, as the Cancel button does; nothing is added to the viewer."""
        if self.controller.cancel():
            self.panel.set_message("Cancelled.")

    def update_plan(self) -> Request[Any] | None:
        """Show what Run will do, or why it cannot; pixels are not read.

        Returns
        -------
        Request or None
            What Run will submit.
        """
        return self.controller.update_plan()

    def drive(self, controller: JobController, viewer: napari.Viewer) -> None:
        """Connect the controller of the dock's job with the run panel, and tell napari of runs."""
        self.controller = controller
        Activity(controller, viewer)
        self.panel.run_clicked.connect(self.run)
        self.panel.cancel_clicked.connect(self.cancel)
        controller.planned.connect(self._show_plan)
        controller.refused.connect(self._show_obstacle)
        controller.started.connect(self._show_start)
        controller.stopped.connect(self._show_stop)
        controller.progressed.connect(self.panel.set_progress)
        controller.ended.connect(self._show_end)
        self.left.connect(controller.close)

    def watch(
        self, viewer: napari.Viewer, on_layers: Callable[[], None], on_active: Callable[[], None]
    ) -> None:
        """Follow a viewer from now on, beginning with what it has.

        Parameters
        ----------
        viewer : napari.Viewer
            What to listen to.
        on_layers, on_active : bound methods
            Called after a change of the layers, and of the selected one.
        """
        self._watch = ViewerWatch(viewer, on_layers, on_active, self.controller.schedule)
        self.destroyed.connect(self._watch.close)
        on_layers()
        on_active()
        self.update_plan()

    def show_error(self, error: BaseException | None) -> None:
        """Say why a run failed, also to who looks elsewhere."""
        line = error_line(error)
        level = logging.DEBUG if is_expected(error) else logging.ERROR
        title = f"{self.controller.noun.capitalize()} failed"
        _LOG.log(level, "%s: %s", title, line, exc_info=error)
        self.panel.set_message(line, "error")
        show_error(f"{title}: {line}")

    def _show_plan(self, summary: str, warnings: tuple[str, ...]) -> None:
        self.panel.set_plan(summary, warnings)
        self.planned.emit()

    def _show_obstacle(self, reason: str) -> None:
        self.panel.set_obstacle(reason)
        self.planned.emit()

    def _show_start(self) -> None:
        self.panel.set_running(True)
        self.panel.set_message("starting …")

    def _show_stop(self) -> None:
        self.panel.set_running(False)
        self.panel.set_message("")

    def _show_end(self, outcome: Outcome) -> None:
        self.panel.set_running(False)
        if outcome.state is JobState.CANCELLED:
            self.panel.set_message("Cancelled.")
        elif outcome.state is JobState.FAILED:
            self.show_error(outcome.error)
        self.done.emit(outcome)
