"""Classifier of a labels layer's objects, off the GUI thread, a moment after each example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssp.service import Classes, ClassifyRequest, JobState
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.layers.images import layer_image
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.measure.freshness import MEASURED_KEY, is_outdated
from napari_ssp.widgets.measure.object_table import SAID, join_features

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import Examples
    from napari_ssp.widgets.docks.relay import Outcome

# Keys are pressed in bursts.
_PAUSE_MS = 150


@dataclass(frozen=True, eq=False)
class Classified:
    """Classes of a layer's objects, made ready for it by the worker."""

    layer: Labels
    classes: Classes
    features: dict[str, Any]


class Classifier(QObject):
    """Measures the objects of a layer once, and predicts their classes after each change.

    Setters in: ``follow``, ``classify``, ``close``. Signals out: ``done(Classified)``;
    ``progressed(Progress)``; ``failed(sentence)``.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layer is.
    parent : QObject
        The dock; it calls ``close`` when it leaves.
    """

    done = Signal(object)
    progressed = Signal(object)
    failed = Signal(str)

    def __init__(self, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._state: LayerState | None = None
        self._image: MicroscopyImage | None = None
        self._planewise = False
        self._wanted: Examples | None = None
        self._known: Classes | None = None
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._on_end)
        self._runner.progressed.connect(self.progressed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._start)

    @property
    def is_settled(self) -> bool:
        """Whether all that was wanted is done."""
        return self._wanted is None and not self._runner.is_running

    def follow(
        self, layer: Labels | None, image: MicroscopyImage | None = None, planewise: bool = False
    ) -> None:
        """Turn to the objects of a layer, told apart also by the intensities of an image."""
        self.close()
        self._state = None if layer is None else LayerState(layer)
        self._image, self._planewise, self._known = image, planewise, None

    def classify(self, examples: Examples) -> None:
        """Predict classes from examples, a moment from now, or after what is measured just now."""
        self._wanted = examples
        self._timer.start()

    def close(self) -> None:
        """Do no more."""
        self._wanted = None
        self._timer.stop()
        self._runner.cancel()

    def _start(self) -> None:
        layer = self._state.layer if self._state is not None else None
        if self._state is None or layer is None:
            return
        if self._wanted is None or self._runner.is_running:
            return
        examples, self._wanted = self._wanted, None
        if not self._state.is_same:  # e.g. the size of its pixels is known now
            self._known, self._state = None, LayerState(layer)
        request = ClassifyRequest(
            layer_image(layer), examples, self._image, self._planewise, known=self._known
        )
        before = layer.features
        digest = None if is_outdated(layer) else layer.metadata.get(MEASURED_KEY)

        def prepare(classes: Classes) -> Classified:
            kept = None if classes.digest == digest else SAID
            return Classified(layer, classes, join_features(classes.table, before, kept))

        self._runner.start(request, prepare)

    def _on_end(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            self.failed.emit(error_line(outcome.error))
        elif outcome.state is JobState.DONE:
            self._known = outcome.value.classes
            assert self._state is not None
            lost = lost_reason([self._state], self._viewer, "classification")
            if lost is not None:
                self.failed.emit(lost)
            elif self._wanted is None:
                self.done.emit(outcome.value)
        self._start()
