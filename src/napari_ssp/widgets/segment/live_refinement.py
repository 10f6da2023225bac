"""Labels that follow sliders: the newest value wins, and nothing queues up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_ssp.service import JobState, RefineRequest
from napari_ssp.widgets.docks.runner import Runner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ssp.progress import Progress
    from napari_ssp.service import Display, RecordedEdit, Refinement, Thresholds
    from napari_ssp.widgets.docks.relay import Outcome

    _Wanted = tuple[Thresholds, Display | None, tuple[RecordedEdit, ...]]


class LiveRefinement(QObject):
    """Works out labels off the GUI thread for the user who moves sliders.

    One change is worked on at a time, and only the newest of those that came meanwhile is next.
    What is visible is finished even then, or nothing would move before the slider rests; the rest
    of a large image is left when a newer change waits.

    Signals: ``patched(Patch)``, ``refined(Segmentation)``, ``failed(error)``. After ``set_result``
    nothing comes of the result before.

    Parameters
    ----------
    parent : QObject
        When it is deleted, the work is cancelled.
    """

    patched = Signal(object)
    refined = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._refinement: Refinement | None = None
        self._before: NDArray[np.uint32] | None = None
        self._next: _Wanted | None = None
        self._at_rest = False
        self._quiet = False
        self._runner = Runner(parent=self)
        self._runner.progressed.connect(self._on_progress)
        self._runner.ended.connect(self._on_end)

    @property
    def is_settled(self) -> bool:
        """Whether all changes have been answered."""
        return self._next is None and (self._quiet or not self._runner.is_running)

    def set_result(self, refinement: Refinement | None) -> None:
        """Take another result, or none and forget the one before."""
        self._runner.cancel()
        self._next, self._quiet = None, False
        self._refinement = refinement
        self._before = None if refinement is None else refinement.segmentation.labels

    def warm_up(self) -> None:
        """Work out in advance what the first change of a small result needs; tells nothing."""
        if self._refinement is not None and self._refinement.is_quick:
            self.ask(self._refinement.thresholds, None)
            self._quiet = True

    def ask(
        self, chosen: Thresholds, display: Display | None, edits: tuple[RecordedEdit, ...] = ()
    ) -> None:
        """Bring the labels to other thresholds, what is on display first; edits are made again."""
        self._next = (chosen, display, edits)
        if not self._runner.is_running or self._at_rest:
            self._start()

    def _start(self) -> None:
        wanted, self._next = self._next, None
        if wanted is not None and self._refinement is not None:
            self._at_rest = self._quiet = False
            chosen, display, edits = wanted
            self._runner.start(
                RefineRequest(self._refinement, chosen, display, self._before, edits)
            )

    def _on_progress(self, progress: Progress) -> None:
        if progress.preview is not None and not self._quiet:
            self.patched.emit(progress.preview)
        self._at_rest = True
        self._start()

    def _on_end(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            self.failed.emit(outcome.error)
        elif not self._quiet:
            self._before = outcome.value.labels
            self.refined.emit(outcome.value)
        self._start()
