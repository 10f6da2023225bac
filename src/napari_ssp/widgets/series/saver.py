"""Saver of corrections: labels on display go to their file a moment after they were changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssp.io.layer_attributes import FILE_KEY, METADATA_KEY
from napari_ssp.service import JobState
from napari_ssp.service.series.saving import LabelFile, SaveLabelsRequest
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.shared_service import shared_service
from napari_ssp.widgets.layers.images import layer_image
from napari_ssp.widgets.layers.shown_segmentations import find_segmentation

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_ssp.widgets.docks.relay import Outcome

# Strokes come in bursts; what is drawn is on the disk this long after the first of them.
_PAUSE_MS = 700
# Closing waits for the last strokes, but not for a share that hangs.
_LONGEST_WAIT = 30.0  # seconds


class _Followed(QObject):
    """Labels of one image and their file; hears every change until it is left."""

    saved = Signal()
    failed = Signal(object)

    def __init__(self, layer: Labels, file: LabelFile, parent: QObject) -> None:
        super().__init__(parent)
        self.layer, self.file = layer, file
        self.is_dirty = False
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._on_end)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self.write)
        self._emitters = [layer.events.paint, layer.events.set_data]  # undo tells only the second
        for emitter in self._emitters:
            emitter.connect(self.hear)

    @property
    def is_heard(self) -> bool:
        return bool(self._emitters)

    @property
    def is_settled(self) -> bool:
        return not (self.is_dirty or self._runner.is_running)

    def hear(self, event: Any = None) -> None:
        """Note that something may have changed."""
        self.is_dirty = True
        if not self._timer.isActive():  # not started again: a long stroke is saved meanwhile
            self._timer.start()

    def write(self) -> None:
        """Write what has changed, after what is being written."""
        self._timer.stop()
        if self.is_dirty and not self._runner.is_running:
            self.is_dirty = False  # strokes from now on are another save
            self._runner.start(self._request())

    def leave(self) -> None:
        """Hear nothing more, and write the last changes."""
        self._mute()
        self.write()

    def finish(self) -> None:
        """Hear nothing more, write what is not on the disk, and wait for it.

        Raises
        ------
        Exception
            Whatever the saving raised, and TimeoutError.
        """
        self._mute()
        if not self.is_settled:
            shared_service().submit(self._request()).result(_LONGEST_WAIT)

    def _mute(self) -> None:
        for emitter in self._emitters:
            emitter.disconnect(self.hear)
        self._emitters = []
        self._timer.stop()

    def _request(self) -> SaveLabelsRequest:
        record = self.layer.metadata.get(METADATA_KEY) or {}
        found = find_segmentation(self.layer)
        return SaveLabelsRequest(self.file, layer_image(self.layer), record, found)

    def _on_end(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            self.is_dirty = True  # with the next stroke, or at the end
            self.failed.emit(outcome.error)
            return
        if self.file.digest:
            self.layer.metadata = {**self.layer.metadata, FILE_KEY: str(self.file.path)}
        self.write()
        self.saved.emit()


class LabelSaver(QObject):
    """Saves the labels of one image after the other.

    Setters in: ``follow``, ``leave``, ``close``. Signals out: ``saved``; ``failed(error)``.

    Parameters
    ----------
    parent : QObject
        The dock; it calls ``close`` when it leaves.
    """

    saved = Signal()
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._followed: list[_Followed] = []

    @property
    def is_settled(self) -> bool:
        """Whether all is on the disk."""
        return all(one.is_settled for one in self._followed)

    def layer(self) -> Labels | None:
        """Layer that is followed now."""
        return next((one.layer for one in self._followed if one.is_heard), None)

    def follow(self, layer: Labels, file: LabelFile, *, is_saved: bool) -> None:
        """Save a layer to its file from now on; what was followed before is left."""
        self.leave()
        one = _Followed(layer, file, self)
        one.saved.connect(self._forget_left)
        one.saved.connect(self.saved)
        one.failed.connect(self.failed)
        self._followed.append(one)
        if not is_saved:
            one.hear()

    def leave(self) -> None:
        """Follow nothing any more; the last changes are written."""
        for one in self._followed:
            one.leave()
        self._forget_left()

    def close(self) -> None:
        """Write what is not yet written, wait for it, and follow nothing any more."""
        followed, self._followed = self._followed, []
        for one in followed:
            try:
                one.finish()
            except Exception as error:  # told, and the viewer goes on closing
                self.failed.emit(error)

    def _forget_left(self) -> None:
        """Let go of what is on the disk; what could not be written is tried again at the end."""
        for one in [one for one in self._followed if not one.is_heard and one.is_settled]:
            self._followed.remove(one)
            one.deleteLater()
