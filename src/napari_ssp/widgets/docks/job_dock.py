"""Base of the docks: plan, run and cancel one job at a time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ssp.service import JobState
from napari_ssp.widgets.docks.messages import error_line, is_expected, obstacle_lines
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.scroll_column import ScrollColumn
from napari_ssp.widgets.docks.tabs import join_tabs
from napari_ssp.widgets.docks.time_left import TimeLeft
from napari_ssp.widgets.docks.viewer_watch import ViewerWatch, own_viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari

    from napari_ssp.progress import Progress
    from napari_ssp.service import ModelService, Request
    from napari_ssp.widgets.docks.relay import Outcome
    from napari_ssp.widgets.docks.run_panel import RunPanel

_LOG = logging.getLogger(__name__)
_REFUSALS = (ValueError, TypeError, OSError, ImportError)
# Panning and typing come in bursts; the plan follows when they pause.
_PAUSE_MS = 100


class JobDock(QWidget):
    """Column of widgets with a run panel; a subclass says what is run and what becomes of it.

    A subclass gives ``noun`` and the methods ``_check``, ``_preparation``, ``_show_result``,
    ``_update_layers`` and, where it follows the selected layer, ``_follow_selection``. It fills
    ``column`` and then calls ``_start``.

    Parameters
    ----------
    viewer : napari.Viewer
        Where layers come from and results go.
    panel : RunPanel
        Shows the plan, the progress and the end.
    service : ModelService or None
        Who does the work; None takes the service that docks share.

    Attributes
    ----------
    planned : Signal
        The plan, or the obstacle, on display is up to date.
    done : Signal(Outcome)
        A run has ended and its result is in the viewer; not emitted after Cancel.
    """

    planned = Signal()
    done = Signal(object)
    noun = "work"

    def __init__(
        self, viewer: napari.Viewer, panel: RunPanel, service: ModelService | None = None
    ) -> None:
        super().__init__()
        self._viewer = own_viewer(viewer)
        self._time_left = TimeLeft()
        self.panel = panel
        self.column = ScrollColumn()
        self._runner = Runner(service, self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._has_place = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.column)

    def run(self) -> None:
        """Do what is chosen, as the Run button does."""
        request = self.update_plan()
        if request is not None:
            self._note_start()
            self._launch(request, self._preparation())

    def cancel(self) -> None:
        """Stop the run, as the Cancel button does; nothing is added to the viewer."""
        self._stop("Cancelled.")

    def update_plan(self) -> Any:
        """Show what Run will do, or why it cannot; pixels are not read.

        Returns
        -------
        request or None
            What Run will submit.
        """
        self._timer.stop()
        request = None
        try:
            request, summary, warnings = self._check()
            self.panel.set_plan(summary, warnings)
        except _REFUSALS as error:
            self.panel.set_obstacle(obstacle_lines(error))
        self.planned.emit()
        return request

    def showEvent(self, event: Any) -> None:
        """Join the docks that are open already, once; the user may pull them apart again."""
        super().showEvent(event)
        if not self._has_place:
            self._has_place = True
            QTimer.singleShot(0, self._join_docks)

    def event(self, event: Any) -> bool:
        """Stop the work when the dock is taken out of the window for good."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._leave()
        return bool(super().event(event))

    def _join_docks(self) -> None:
        join_tabs(self, JobDock)

    def _check(self) -> tuple[Any, str, Sequence[str]]:
        """Request of what is chosen, what it means, and warnings; refuses what cannot be done."""
        raise NotImplementedError

    def _note_start(self) -> None:
        """Remember what a run that starts is about."""

    def _preparation(self) -> Callable[[Any], Any] | None:
        """Return what makes, on the worker, the value to show of the job's result."""
        return None

    def _launch(self, request: Request[Any], prepare: Callable[[Any], Any] | None = None) -> None:
        """Submit a request and show that it is under way."""
        self._time_left = TimeLeft()
        self.panel.set_running(True)
        self.panel.set_message("starting …")
        self._runner.start(request, prepare)

    def _show_result(self, value: Any) -> None:
        """Show what was prepared; an error is shown as that of the run."""
        raise NotImplementedError

    def _update_layers(self) -> None:
        """Offer the viewer's layers."""
        raise NotImplementedError

    def _follow_selection(self) -> None:
        """Choose the layer that was selected."""

    def _leave(self) -> None:
        self._stop("")

    def _start(self) -> None:
        """Listen to the viewer and show the first plan."""
        self._timer.timeout.connect(self.update_plan)
        self.panel.run_clicked.connect(self.run)
        self.panel.cancel_clicked.connect(self.cancel)
        self._runner.progressed.connect(self._on_progress)
        self._runner.ended.connect(self._on_end)
        self._watch = ViewerWatch(
            self._viewer, self._update_layers, self._follow_selection, self._schedule
        )
        self.destroyed.connect(self._watch.close)
        self._update_layers()
        self._follow_selection()
        self.update_plan()

    def _on_progress(self, progress: Progress) -> None:
        self.panel.set_progress(progress, self._time_left.describe(progress))

    def _on_end(self, outcome: Outcome) -> None:
        self.panel.set_running(False)
        if outcome.state is JobState.DONE:
            try:
                self._show_result(outcome.value)
            except Exception as error:  # layers may have been changed meanwhile
                self._show_error(error)
        elif outcome.state is JobState.CANCELLED:
            self.panel.set_message("Cancelled.")
        else:
            self._show_error(outcome.error)
        self.done.emit(outcome)

    def _show_error(self, error: BaseException | None) -> None:
        line = error_line(error)
        level = logging.DEBUG if is_expected(error) else logging.ERROR
        title = f"{self.noun.capitalize()} failed"
        _LOG.log(level, "%s: %s", title, line, exc_info=error)
        self.panel.set_message(line, "error")
        show_error(f"{title}: {line}")

    def _stop(self, reason: str) -> None:
        if self._runner.is_running:
            self._runner.cancel()
            self.panel.set_running(False)
            self.panel.set_message(reason)

    def _schedule(self) -> None:
        self._timer.start()
