"""Labels that are saved to a training set while the user corrects them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssp.service import JobState, LabelPair, SavePairsRequest
from napari_ssp.service.annotation.annotations import AnnotationWriter
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.shared_service import shared_service
from napari_ssp.widgets.layers.images import full_level
from napari_ssp.widgets.train.pairs import pair_annotation

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Labels

    from napari_ssp.service.annotation.training_set import TrainingSet
    from napari_ssp.widgets.docks.relay import Outcome
    from napari_ssp.widgets.train.pairs import LayerPair

# Strokes come in bursts; what is drawn is on the disk this long after the first of them.
_PAUSE_MS = 700
# Closing waits for the last strokes, but not for a share that hangs.
_LONGEST_WAIT = 30.0  # seconds

_REPLACED = (
    "'{name}' shows other labels now. The training set keeps those that you added; add the new "
    "ones if they are right."
)
_ALONE = (
    "The image or the annotated area of '{name}' was removed, so its corrections are saved no "
    "more. Add it again to go on."
)


class _Followed:
    """A pair whose labels are in a training set; hears every stroke."""

    def __init__(self, pair: LayerPair, folder: TrainingSet, tell: Callable[[], None]) -> None:
        self.pair = pair
        self.writer = AnnotationWriter(folder)
        self.is_dirty = True
        self.is_leaving = False
        self._array = full_level(pair.target)
        self._tell = weakref.WeakMethod(tell)
        events = pair.target.events
        self._emitters = [events.paint, events.set_data]  # undo tells only the second
        if pair.area is not None:
            self._emitters.append(pair.area.events.data)
        for emitter in self._emitters:
            emitter.connect(self._hear)

    @property
    def is_replaced(self) -> bool:
        """Whether the layer shows other labels by now, e.g. those of another run."""
        return full_level(self.pair.target) is not self._array

    def close(self) -> None:
        for emitter in self._emitters:
            emitter.disconnect(self._hear)
        self._emitters = []

    def _hear(self, event: Any = None) -> None:
        self.is_dirty = True
        tell = self._tell()
        if tell is not None:
            tell()


class Autosave(QObject):
    """Writes followed labels, off the GUI thread, a moment after they were changed.

    Signals: ``saved(writer)``, ``failed(error)``, ``left(sentence)`` when a layer that is still
    there is followed no more.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are followed.
    parent : QObject
        The dock; it calls ``close`` when it leaves.
    """

    saved = Signal(object)
    failed = Signal(object)
    left = Signal(str)

    def __init__(self, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._followed: list[_Followed] = []
        self._saving: _Followed | None = None
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._on_end)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._save_next)

    @property
    def is_settled(self) -> bool:
        """Whether everything that was drawn is on the disk."""
        return self._saving is None and not any(one.is_dirty for one in self._followed)

    @property
    def is_used(self) -> bool:
        """Whether any labels are followed."""
        return bool(self._followed)

    def is_following(self, labels: Labels, folder: TrainingSet) -> bool:
        """Whether a layer's labels go to a folder already."""
        return any(
            one.pair.target is labels and one.writer.folder.folder == folder.folder
            for one in self._followed
            if not one.is_replaced
        )

    def follow(self, pair: LayerPair, folder: TrainingSet) -> None:
        """Write a pair to a training set, and its labels again whenever they change."""
        for one in [one for one in self._followed if one.pair.target is pair.target]:
            self._drop(one)
        # Counts as drawing: a run must not replace labels that somebody found to be right.
        pair.target.events.paint(value=[])
        self._followed.append(_Followed(pair, folder, self._hear))
        self._save_next()

    def follow_layers(self) -> None:
        """Save the last changes of layers that were removed, and follow them no more."""
        for one in self._followed:
            if any(layer not in self._viewer.layers for layer in one.pair.layers):
                one.close()
                one.is_leaving = True
        self._save_next()

    def close(self) -> None:
        """Write what is not yet written, wait for it, and follow nothing any more."""
        self._timer.stop()
        for one in list(self._followed):
            self._finish(one)

    def _hear(self) -> None:
        if not self._timer.isActive():  # not started again: a long stroke is saved meanwhile
            self._timer.start()

    def _save_next(self) -> None:
        if self._saving is not None:
            return
        for one in list(self._followed):
            if one.is_replaced:
                self._drop(one)
                self.left.emit(_REPLACED.format(name=one.pair.target.name))
            elif one.is_dirty:
                self._save(one)
                return
            elif one.is_leaving:
                self._drop(one)
                if one.pair.target in self._viewer.layers:
                    self.left.emit(_ALONE.format(name=one.pair.target.name))

    def _save(self, one: _Followed) -> None:
        one.is_dirty = False  # strokes from now on are another save
        try:
            request = _save_request(one)
        except (ValueError, TypeError) as error:  # scale or axes were changed
            self.failed.emit(error)
            return
        self._saving = one
        self._runner.start(request)

    def _on_end(self, outcome: Outcome) -> None:
        one, self._saving = self._saving, None
        if outcome.state is JobState.FAILED:
            self.failed.emit(outcome.error)
        elif one is not None:
            self.saved.emit(one.writer)
        if one is not None and not one.writer.names:
            self._drop(one)  # it never got into the set
        self._save_next()

    def _finish(self, one: _Followed) -> None:
        unsaved = one.is_dirty or self._saving is one
        self._drop(one)
        if unsaved and not one.is_replaced:
            job = shared_service().submit(_save_request(one))
            try:
                job.result(_LONGEST_WAIT)
            except Exception as error:  # told, and the viewer goes on closing
                self.failed.emit(error)

    def _drop(self, one: _Followed) -> None:
        one.close()
        if one in self._followed:
            self._followed.remove(one)


def _save_request(one: _Followed) -> SavePairsRequest:
    return SavePairsRequest((LabelPair(one.writer, pair_annotation(one.pair)),))
