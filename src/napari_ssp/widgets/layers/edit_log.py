"""Edits that a labels layer shows: written through napari's history, kept in its provenance."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.widgets.layers.images import layer_axes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_ssp.service import Edit, Edits, RecordedEdit


@dataclass(eq=False)
class _Written:
    """An edit and the pixels that it changed; without pixels where it found nothing to act on."""

    recorded: RecordedEdit
    index: tuple[NDArray[Any], ...] = ()
    before: Any = None
    after: Any = None

    def shows(self, data: Any, values: Any) -> bool:
        return np.array_equal(data[self.index], values)


class EditLog:
    """Edits of one layer in their order; napari's undo and redo are noticed by the pixels.

    Parameters
    ----------
    layer : napari.layers.Labels
        Not kept alive.
    """

    def __init__(self, layer: Labels) -> None:
        self._layer = weakref.ref(layer)
        self._done: list[_Written] = []
        self._undone: list[_Written] = []
        self._is_writing = False
        self._is_stale = False
        self._array = layer.data
        layer.events.set_data.connect(self._follow)  # undo and redo tell nothing else

    @property
    def recorded(self) -> tuple[RecordedEdit, ...]:
        """Edits that are on display, and those that found nothing to act on."""
        return tuple(each.recorded for each in self._done)

    @property
    def is_writing(self) -> bool:
        """Whether what the layer tells just now is an edit, and no stroke of a brush."""
        return self._is_writing

    def write(self, recorded: RecordedEdit, edit: Edit) -> None:
        """Show an edit as one step of napari's undo, and record it."""
        self._write(recorded, edit)
        self._undone.clear()
        self._keep()

    def suspend(self) -> None:
        """Take no notice of pixels until ``replay``: other labels are being shown."""
        self._is_stale = True

    def replay(self, edits: Edits) -> None:
        """Take over edits that the labels on display hold already, each a step to undo."""
        layer = self._layer()
        if layer is None:
            return
        self._done, self._undone, self._array = [], [], layer.data
        _forget_history(layer)
        for recorded, edit in reversed(edits):
            if edit is not None:
                index = _index(layer, recorded, edit)
                layer.data[index] = edit.before[edit.before != edit.after]
        for recorded, edit in edits:
            if edit is None:
                self._done.append(_Written(recorded))
            else:
                self._write(recorded, edit)
        self._is_stale = False
        self._keep()

    def _write(self, recorded: RecordedEdit, edit: Edit) -> None:
        layer = self._layer()
        assert layer is not None
        changed = edit.before != edit.after
        index = _index(layer, recorded, edit)
        with self._writing(), _shown(layer):
            layer.data_setitem(index, edit.after[changed])
        self._done.append(_Written(recorded, index, edit.before[changed], edit.after[changed]))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False

    def _follow(self, event: Any = None) -> None:
        """Notice which edits were undone or done again."""
        layer = self._layer()
        if layer is None or self._is_writing or self._is_stale:
            return
        if layer.data is not self._array:  # other labels, which hold none of them
            self._done, self._undone, self._array = [], [], layer.data
            self._keep()
            return
        count = len(self._done)
        while (last := self._last()) is not None and last.shows(layer.data, last.before):
            self._done.remove(last)
            self._undone.append(last)
        while self._undone and self._undone[-1].shows(layer.data, self._undone[-1].after):
            self._done.append(self._undone.pop())
        if len(self._done) != count:
            self._keep()

    def _last(self) -> _Written | None:
        return next((each for each in reversed(self._done) if each.index), None)

    def _keep(self) -> None:
        """Write the edits into the layer's provenance, where it has one."""
        layer = self._layer()
        record = layer.metadata.get(METADATA_KEY) if layer is not None else None
        if layer is None or not record:
            return
        rows = [each.recorded.as_record(bool(each.index)) for each in self._done]
        others = {key: value for key, value in record.items() if key != "edits"}
        kept = {**others, "edits": rows} if rows else others
        layer.metadata = {**layer.metadata, METADATA_KEY: kept}


_LOGS: weakref.WeakKeyDictionary[Any, EditLog] = weakref.WeakKeyDictionary()


def find_log(layer: Any) -> EditLog | None:
    """Edits of a layer; None where none was ever made."""
    return _LOGS.get(layer)


def edit_log(layer: Labels) -> EditLog:
    """Edits of a layer, from now on."""
    if layer not in _LOGS:
        _LOGS[layer] = EditLog(layer)
    return _LOGS[layer]


def recorded_edits(layer: Any) -> tuple[RecordedEdit, ...]:
    """Edits that a layer shows; none where it is no more, None."""
    log = None if layer is None else _LOGS.get(layer)
    return () if log is None else log.recorded


def _index(layer: Labels, recorded: RecordedEdit, edit: Edit) -> tuple[NDArray[Any], ...]:
    """Index of the changed pixels in the layer's array."""
    z, y, x = edit.places
    places = {"t": np.full(len(z), recorded.plane[0]), "z": z, "y": y, "x": x}
    return tuple(places[letter] for letter in layer_axes(layer))


@contextmanager
def _shown(layer: Labels) -> Iterator[None]:
    """Show a hidden layer meanwhile: napari cannot write where it has drawn nothing."""
    if layer.visible:
        yield
        return
    layer.visible = True
    try:
        yield
    finally:
        layer.visible = False


def _forget_history(layer: Labels) -> None:
    """Let napari undo nothing of what was done to other pixels: it forgets with being locked."""
    mode = layer.mode
    layer.editable = False
    layer.editable = True
    layer.mode = mode
