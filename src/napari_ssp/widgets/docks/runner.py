"""Runner of one request at a time for a dock; it drops what comes late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_ssp.widgets.docks.relay import JobRelay
from napari_ssp.widgets.docks.shared_service import PREDICTION, shared_service

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.service import ModelService, Request
    from napari_ssp.widgets.docks.relay import Outcome


class _Current:
    """The run under way; no Qt object, so that it can be cancelled while its owner dies."""

    def __init__(self) -> None:
        self.relay: JobRelay | None = None

    def cancel(self) -> None:
        relay, self.relay = self.relay, None
        if relay is not None:
            relay.cancel()


class Runner(QObject):
    """Submits requests and reports in the GUI thread; only the newest run is heard.

    Signals: ``progressed(Progress)``, ``ended(Outcome)``. After ``cancel`` neither comes any more.

    Parameters
    ----------
    service : ModelService or None
        Who does the work; None takes the service that all docks share.
    parent : QObject
        When it is deleted, the run is cancelled.
    purpose : str
        Which shared service that is.

    Attributes
    ----------
    compute : str
        Where the shared service does what is started from now on.
    """

    progressed = Signal(object)
    ended = Signal(object)

    def __init__(
        self,
        service: ModelService | None = None,
        parent: QObject | None = None,
        purpose: str = PREDICTION,
    ) -> None:
        super().__init__(parent)
        self._service, self._purpose = service, purpose
        self.compute = "local"
        self._number = 0
        self._current = _Current()
        self.destroyed.connect(self._current.cancel)

    @property
    def is_running(self) -> bool:
        """Whether a run is under way that was not cancelled."""
        return self._current.relay is not None

    def start(
        self, request: Request[Any], prepare: Callable[[Any], Any] | None = None, plan: Any = None
    ) -> None:
        """Submit a request; a run under way is superseded.

        Parameters
        ----------
        request : SegmentRequest, or what else the service takes
            What to do.
        prepare : callable, optional
            Makes of the result, on the worker, the value of the outcome.
        plan : SegmentPlan, PredictionPlan or None
            What the request means, where that was found out already.
        """
        self.cancel()
        self._number += 1
        relay = JobRelay(self._number, prepare or _keep)
        relay.progressed.connect(self._on_progress, Qt.ConnectionType.QueuedConnection)
        relay.ended.connect(self._on_end, Qt.ConnectionType.QueuedConnection)
        self._current.relay = relay
        service = self._service or shared_service(self._purpose, self.compute)
        relay.follow(service.submit(request, plan))

    def cancel(self) -> None:
        """Stop the run; its result will not be shown even if it is ready."""
        self._current.cancel()

    def take_end(self, seconds: float) -> Outcome | None:
        """Take the end at once if it comes within a time; ``ended`` is silent about it then."""
        relay = self._current.relay
        outcome = relay.wait(seconds) if relay is not None else None
        if outcome is not None:
            self._current.relay = None
        return outcome

    def _on_progress(self, number: int, progress: Any) -> None:
        if number == self._number and self.is_running:
            self.progressed.emit(progress)

    def _on_end(self, number: int, outcome: Any) -> None:
        if number == self._number and self.is_running:
            self._current.relay = None
            self.ended.emit(outcome)


def _keep(value: Any) -> Any:
    return value
