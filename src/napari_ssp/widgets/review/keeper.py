"""Keepers of what people say about labels: found again for a layer, and kept a moment after."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssp.service import JobState
from napari_ssp.service.review.decisions import (
    Decision,
    FindDecisionsRequest,
    KeepDecisionsRequest,
    ObjectKey,
)
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.shared_service import shared_service
from napari_ssp.widgets.layers.images import layer_file, layer_image, layer_scene
from napari_ssp.widgets.layers.replacements import changed_numbers, copy_labels, replacements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari.layers import Labels

    from napari_ssp.widgets.docks.relay import Outcome

# Decisions and strokes come in bursts; they are on the disk this long after the last of them.
_PAUSE_MS = 400
# Closing waits for the last decisions, but not for a share that hangs.
_LONGEST_WAIT = 10.0  # seconds


class Keeper(QObject):
    """What people say about the objects of one labels layer.

    Setters in: ``follow``, ``change``, ``close``. Signals out: ``changed``, when something else is
    known; ``kept(path)``; ``failed(error)``. What was said about an object of a result is forgotten
    when another result gives its number other pixels. A kind of keeper says what is asked of the
    service.

    Parameters
    ----------
    parent : QObject
        The dock; it calls ``close`` when it leaves.
    """

    changed = Signal()
    kept = Signal(object)
    failed = Signal(object)
    #: Requests that take labels, their file and scene, the second one also what is kept.
    find_request: Any
    keep_request: Any

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._layer: weakref.ref[Labels] | None = None
        self._value = self.nothing()
        self._is_dirty = False
        self._replaced: tuple[Any] | None = None
        self._finder, self._writer = Runner(parent=self), Runner(parent=self)
        self._finder.ended.connect(self._on_found)
        self._writer.ended.connect(self._on_kept)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._write)
        replacements().begins.connect(self._note_begin)
        replacements().done.connect(self._note_replaced)

    def nothing(self) -> Any:
        """Value where nothing is known."""
        raise NotImplementedError

    def join(self, found: Any, said: Any) -> Any:
        """Value of what was found, and what was said meanwhile, which counts more."""
        raise NotImplementedError

    def without(self, value: Any, numbers: frozenset[int] | None) -> Any:
        """Value that says nothing about objects of these numbers; None: of all."""
        raise NotImplementedError

    @property
    def value(self) -> Any:
        """What is known of the layer's objects."""
        return self._value

    @property
    def is_settled(self) -> bool:
        """Whether all is read and on the disk."""
        return not (self._is_dirty or self._finder.is_running or self._writer.is_running)

    def layer(self) -> Labels | None:
        """Layer that is followed."""
        return self._layer() if self._layer else None

    def follow(self, layer: Labels | None) -> None:
        """Turn to another layer; what was said about the one before is kept."""
        before = self.layer()
        if layer is before:
            return
        self._leave(before)
        self._value, self._is_dirty, self._replaced = self.nothing(), False, None
        self._layer = None if layer is None else weakref.ref(layer)
        if layer is not None:
            for emitter in (layer.events.paint, layer.events.data):
                emitter.connect(self._note_edit)
            self._finder.start(self.find_request(layer_image(layer), *_place(layer)))
        self.changed.emit()

    def change(self, value: Any) -> None:
        """Know something else from now on."""
        self._value = value
        self._note_change()

    def close(self) -> None:
        """Keep what is not on the disk, wait for it, and follow nothing any more."""
        job = self._leave(self.layer())
        self._layer = None
        if job is not None:
            try:
                job.result(_LONGEST_WAIT)
            except Exception as error:  # told, and the viewer goes on closing
                self.failed.emit(error)

    def _leave(self, layer: Labels | None) -> Any:
        """Listen to a layer no more; returns the job that keeps what was said last, if any."""
        self._timer.stop()
        self._finder.cancel()
        if layer is None:
            return None
        for emitter in (layer.events.paint, layer.events.data):
            emitter.disconnect(self._note_edit)
        if not self._is_dirty and not self._writer.is_running:
            return None
        self._writer.cancel()
        return shared_service().submit(self._request(layer))

    def _request(self, layer: Labels) -> Any:
        return self.keep_request(layer_image(layer), *_place(layer), self._value)

    def _note_edit(self, event: Any = None) -> None:
        if self._value != self.nothing():  # labels in memory are known by their pixels
            self._note_change()

    def _note_begin(self, layer: Labels) -> None:
        is_known = layer is self.layer() and self._value != self.nothing()
        if is_known and self._replaced is None:
            self._replaced = (copy_labels(layer),)

    def _note_replaced(self, layer: Labels) -> None:
        if layer is not self.layer() or self._replaced is None:
            return
        (before,), self._replaced = self._replaced, None
        self.change(self.without(self._value, changed_numbers(before, layer)))
        self.changed.emit()

    def _note_change(self) -> None:
        self._is_dirty = True
        self._timer.start()

    def _write(self) -> None:
        layer = self.layer()
        if layer is not None and self._is_dirty:
            self._is_dirty = False
            self._writer.start(self._request(layer))

    def _on_found(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            self.failed.emit(outcome.error)
        elif outcome.state is JobState.DONE:
            self._value = self.join(outcome.value, self._value)
            self.changed.emit()

    def _on_kept(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            self.failed.emit(outcome.error)
        elif outcome.state is JobState.DONE:
            self.kept.emit(outcome.value)


class DecisionKeeper(Keeper):
    """Decisions about the objects of one labels layer; also setter in: ``decide``."""

    find_request = FindDecisionsRequest
    keep_request = KeepDecisionsRequest

    @property
    def decisions(self) -> Mapping[ObjectKey, Decision]:
        """What was decided about the layer's objects."""
        decisions: Mapping[ObjectKey, Decision] = self.value
        return decisions

    def decide(self, decisions: Mapping[ObjectKey, Decision]) -> None:
        """Decide about objects; earlier decisions about them are replaced."""
        self.change({**self.decisions, **decisions})

    def nothing(self) -> dict[ObjectKey, Decision]:
        """No decisions."""
        return {}

    def join(self, found: Any, said: Any) -> dict[ObjectKey, Decision]:
        """All decisions; of two about an object the newer one."""
        return {**found, **said}

    def without(self, value: Any, numbers: frozenset[int] | None) -> dict[ObjectKey, Decision]:
        """Only decisions about objects of other numbers."""
        return {key: word for key, word in value.items() if not _is_among(key, numbers)}


def _is_among(key: ObjectKey, numbers: frozenset[int] | None) -> bool:
    return numbers is None or key.label in numbers


def _place(layer: Labels) -> tuple[Path | None, str | None]:
    """File that a layer was read from, and which image of it."""
    return layer_file(layer), layer_scene(layer)
