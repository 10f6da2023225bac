"""Cytoplasm layers that follow edits of cells and nuclei, a moment after each of them."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer

from napari_ssp.measure.compartments import without_nuclei

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import napari
    from napari.layers import Labels

    Box = tuple[slice, ...]

# napari tells of a stroke before it writes some of them, and strokes come in bursts.
_PAUSE_MS = 50
# Pixels that are compared in the GUI thread without being felt; more of them in several turns.
_PIECE = 2**20
# Strokes that undo may take back: napari keeps 100 for each of the two layers.
_STROKES = 200

_EDITED = (
    "'{2}' was edited by hand, so it follows '{0}' and '{1}' no more. Run again for a new one."
)
_UNLIKE = "'{0}' and '{1}' do not fit together any more, so '{2}' stays as it is. Run again."


class FollowingCytoplasm:
    """Keeps one cytoplasm layer the cells without nuclei, whoever edits these, with undo and redo.

    It ends without a word where one of the layers leaves the viewer, and says so where the
    cytoplasm itself is edited. It is no part of a dock, which may be closed meanwhile.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are.
    cells, nuclei, cytoplasm : napari.layers.Labels
        Of one result, as the run made them; none is kept alive.
    """

    def __init__(
        self, viewer: napari.Viewer, cells: Labels, nuclei: Labels, cytoplasm: Labels
    ) -> None:
        self._all = weakref.ref(viewer.layers)
        self._layers = tuple(weakref.ref(layer) for layer in (cells, nuclei, cytoplasm))
        self._array = cytoplasm.data
        self._touched: deque[Box] = deque(maxlen=_STROKES)
        self._waiting: list[Box] = []
        self._is_new_edit = self._is_changed = self._is_due = False
        for events in (cells.events, nuclei.events):
            events.paint.connect(self._hear_stroke)
            events.data.connect(self._hear_all)
            events.set_data.connect(self._hear_undo)  # undo and redo tell nothing else
        cytoplasm.events.paint.connect(self._hear_hand)
        cytoplasm.events.data.connect(self._wait)

    def close(self) -> None:
        """Follow no more."""
        cytoplasm = self._layers[-1]() if self._layers else None
        if cytoplasm is not None:
            _FOLLOWING.pop(cytoplasm, None)
        self._layers = ()

    def _hear_stroke(self, event: Any) -> None:
        if not event.value:  # somebody tells that the labels are right as they are
            return
        box = _around(event.value, event.source.data.shape)
        self._touched.append(box)
        self._look_at([box])
        self._is_new_edit = True

    def _hear_all(self, event: Any) -> None:
        """Hear that a layer shows another array."""
        self._look_at([tuple(slice(0, length) for length in self._array.shape)])
        self._is_new_edit = True

    def _hear_undo(self, event: Any) -> None:
        """Hear that a layer is drawn anew: a stroke may have been taken back, or a slider moved."""
        self._look_at(self._touched)

    def _hear_hand(self, event: Any) -> None:
        if event.value:
            self._end(_EDITED)

    def _look_at(self, boxes: Iterable[Box]) -> None:
        self._waiting += [box for box in boxes if box not in self._waiting]
        self._wait()

    def _wait(self, event: Any = None) -> None:
        if not self._is_due:
            self._is_due = True
            QTimer.singleShot(_PAUSE_MS, self._go_on)

    def _go_on(self) -> None:
        """Look at some of what waits, the newest first, and draw once all is right."""
        self._is_due = False
        layers = self._living()
        if layers is None:
            return
        if layers[2].data is not self._array:
            self._end(_EDITED)
            return
        if not _fit(layers):
            self._end(_UNLIKE)
            return
        if self._is_new_edit:
            self._is_new_edit = False
            for layer in layers:  # they stay together: the next run leaves all three alone
                layer.events.paint(value=[])
        self._update(*layers)
        if self._waiting:
            self._is_due = True
            QTimer.singleShot(0, self._go_on)
        elif self._is_changed:
            self._is_changed = False
            layers[2].events.paint(value=[])
            layers[2].refresh(extent=False, highlight=False)

    def _update(self, cells: Labels, nuclei: Labels, cytoplasm: Labels) -> None:
        looked = 0
        while self._waiting and looked < _PIECE:
            box = self._waiting.pop()
            shown = cytoplasm.data[box]
            if shown.size > _PIECE:
                self._waiting += _halves(box, cytoplasm.data.shape)
                continue
            looked += shown.size
            found = without_nuclei(cells.data[box], nuclei.data[box])
            if not np.array_equal(shown, found):
                shown[...] = found
                self._is_changed = True

    def _living(self) -> list[Any] | None:
        """Cells, nuclei and cytoplasm; None, and the end, where one is not in the viewer."""
        layers, there = [layer() for layer in self._layers], self._all()
        if layers and there is not None and all(layer in there for layer in layers):
            return layers
        self.close()
        return None

    def _end(self, sentence: str) -> None:
        layers = self._living()
        if layers is not None:
            show_info(sentence.format(*(layer.name for layer in layers)))
        self.close()


_FOLLOWING: weakref.WeakKeyDictionary[Any, FollowingCytoplasm] = weakref.WeakKeyDictionary()


def follow_edits(viewer: napari.Viewer, cells: Labels, nuclei: Labels, cytoplasm: Labels) -> None:
    """Let a cytoplasm layer follow its cells and nuclei from now on, as the class above says."""
    before = _FOLLOWING.get(cytoplasm)
    if before is not None:
        before.close()
    _FOLLOWING[cytoplasm] = FollowingCytoplasm(viewer, cells, nuclei, cytoplasm)


def _fit(layers: Iterable[Labels]) -> bool:
    """Whether pixels of layers can be compared at once."""
    arrays = [layer.data for layer in layers]
    return all(isinstance(a, np.ndarray) and a.shape == arrays[-1].shape for a in arrays)


def _around(strokes: Iterable[Any], shape: tuple[int, ...]) -> Box:
    """Box of all pixels that a step of napari's history has changed."""
    bounds = [[_bounds(each) for each in stroke[0]] for stroke in strokes]
    if any(len(each) != len(shape) for each in bounds):
        return tuple(slice(0, length) for length in shape)
    axes = zip(*bounds, strict=True)
    return tuple(slice(min(a for a, _ in axis), max(b for _, b in axis)) for axis in axes)


def _bounds(places: Any) -> tuple[int, int]:
    """First place along an axis, and the one after the last; brushes give slices."""
    if isinstance(places, slice):
        return places.start, places.stop
    return int(np.min(places)), int(np.max(places)) + 1


def _halves(box: Box, shape: tuple[int, ...]) -> Iterator[Box]:
    """Two parts of a box, along its first axis of several pixels."""
    ranges = [range(*part.indices(n)) for part, n in zip(box, shape, strict=True)]
    axis = next(i for i, places in enumerate(ranges) if len(places) > 1)
    middle = ranges[axis][len(ranges[axis]) // 2]
    for first, last in ((middle, ranges[axis].stop), (ranges[axis].start, middle)):
        yield (*box[:axis], slice(first, last), *box[axis + 1 :])
