"""Whether a table is still that of its labels, also after they were painted, replaced or scaled."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssp.service import DigestRequest, JobState
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.layers.images import full_level, layer_image
from napari_ssp.widgets.layers.layer_state import LayerState, grid_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Labels, Layer

    from napari_ssp.widgets.docks.relay import Outcome

#: In the metadata of a labels layer: the digest of the labels that its features were measured of.
MEASURED_KEY = "napari_ssp_measured"
#: What the features of layers are of, besides the labels' pixels.
_MEASURED: weakref.WeakKeyDictionary[Labels, _Measured] = weakref.WeakKeyDictionary()
# Strokes come in bursts; the labels are looked at when they pause.
_PAUSE_MS = 300


class _Measured:
    """Scale of labels, and the images and nuclei, when objects were measured."""

    def __init__(self, layer: Labels, others: Iterable[Layer]) -> None:
        self._grid = grid_of(layer)
        self._others = tuple(map(LayerState, others))
        self._is_painted = False
        for state in self._others:
            if hasattr(state.layer.events, "paint"):
                state.layer.events.paint.connect(self._note_paint)

    def fits(self, layer: Labels) -> bool:
        """Whether a layer and the others are as they were; those that have gone do not count."""
        others = all(state.is_same for state in self._others if state.layer is not None)
        return not self._is_painted and others and grid_of(layer) == self._grid

    def _note_paint(self, event: Any) -> None:
        self._is_painted = True


def note_measured(layer: Labels, digest: str, others: Iterable[Layer] = ()) -> None:
    """Remember what a layer's features are of.

    Parameters
    ----------
    layer : napari.layers.Labels
        Has the features by now.
    digest : str
        `digest_labels` of what was measured.
    others : iterable of napari.layers.Layer
        Images and nuclei that were measured in it.
    """
    _MEASURED[layer] = _Measured(layer, others)
    layer.metadata = {**layer.metadata, MEASURED_KEY: digest}


def is_outdated(layer: Labels) -> bool:
    """Whether a layer's scale, or what was measured in it, was changed after the measurement."""
    measured = _MEASURED.get(layer)
    return measured is not None and not measured.fits(layer)


class Freshness(QObject):
    """Follows one labels layer; what was not measured here is not judged.

    Setters in: ``follow``, ``note_measured``. Signals out: ``changed``; ``renewed``, when the
    layer got other features.

    Parameters
    ----------
    parent : QObject
        When it is deleted, nothing is looked at any more.
    """

    changed = Signal()
    renewed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._layer: weakref.ref[Labels] | None = None
        self._old: weakref.WeakSet[Labels] = weakref.WeakSet()
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._judge)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._look)

    def is_old(self, layer: Labels | None) -> bool:
        """Whether a layer was changed after its objects were measured."""
        if layer is None or not len(layer.features):
            return False
        return layer in self._old or is_outdated(layer)

    def follow(self, layer: Labels | None) -> None:
        """Listen to a layer instead of the one before."""
        before = self._followed()
        if layer is before:
            return
        for each, connect in ((before, False), (layer, True)):
            if each is None:
                continue
            for emitter, slot in self._connections(each):
                (emitter.connect if connect else emitter.disconnect)(slot)
        self._layer = None if layer is None else weakref.ref(layer)
        self._look()

    def note_measured(self, layer: Labels, digest: str, others: Iterable[Layer] = ()) -> None:
        """Remember what a layer's features are of, see `note_measured`."""
        note_measured(layer, digest, others)
        self._old.discard(layer)
        self.changed.emit()

    def close(self) -> None:
        """Listen to nothing."""
        self._timer.stop()
        self._runner.cancel()
        self.follow(None)

    def _followed(self) -> Labels | None:
        return self._layer() if self._layer else None

    def _connections(self, layer: Labels) -> list[tuple[Any, Any]]:
        found: list[tuple[Any, Any]] = [
            (layer.events.paint, self._note_change),
            (layer.events.data, self._note_change),
            (layer.events.features, self._tell_renewed),
            (layer.events.scale, self._tell_scaled),
            (layer.events.units, self._tell_scaled),
        ]
        # An undone stroke is only drawn again. Of labels that are read from a file for every
        # plane, looking at all of them whenever a slider moves would take too long.
        if isinstance(full_level(layer), np.ndarray):
            found.append((layer.events.set_data, self._wait))
        return found

    def _note_change(self, event: Any) -> None:
        layer = self._followed()
        if layer is not None and MEASURED_KEY in layer.metadata and layer not in self._old:
            self._old.add(layer)
            self.changed.emit()
        self._wait(event)

    def _tell_renewed(self, event: Any) -> None:
        self.renewed.emit()
        self._wait(event)  # another dock may have measured

    def _tell_scaled(self, event: Any) -> None:
        self.changed.emit()

    def _wait(self, event: Any) -> None:
        self._timer.start()

    def _look(self) -> None:
        layer = self._followed()
        known = layer is not None and MEASURED_KEY in layer.metadata and len(layer.features)
        if layer is not None and known and isinstance(full_level(layer), np.ndarray):
            self._runner.start(DigestRequest(layer_image(layer)))

    def _judge(self, outcome: Outcome) -> None:
        layer = self._followed()
        if layer is None or outcome.state is not JobState.DONE:
            return
        before = layer in self._old
        is_old = outcome.value != layer.metadata.get(MEASURED_KEY)
        (self._old.add if is_old else self._old.discard)(layer)
        if is_old != before:
            self.changed.emit()
