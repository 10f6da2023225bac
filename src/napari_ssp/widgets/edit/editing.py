"""Connection of what is drawn with the labels that change."""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_ssp.io.layer_attributes import UNFINISHED_KEY
from napari_ssp.service import EditRequest, JobState, RecordedEdit, stack_of
from napari_ssp.service.network_outputs import find_outputs
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.edit.sentences import edit_line
from napari_ssp.widgets.layers.edit_log import edit_log
from napari_ssp.widgets.layers.images import layer_axes, layer_file
from napari_ssp.widgets.layers.shown_segmentations import find_segmentation

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from numpy.typing import NDArray

    from napari_ssp.service import Edit, Gesture, Segmentation
    from napari_ssp.widgets.docks.relay import Outcome

# What is ready by then is shown at once, in the event of the mouse.
_AT_ONCE = 0.1  # seconds


@dataclass(frozen=True, eq=False)
class _Wanted:
    layer: Labels
    recorded: RecordedEdit


class Editing(QObject):
    """Carries out gestures one after the other, off the GUI thread.

    Signals: ``edited(sentence)``; ``refused(sentence)``.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are.
    parent : QObject
        The dock; it calls ``close`` when it leaves.
    """

    edited = Signal(str)
    refused = Signal(str)

    def __init__(self, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._wanted: deque[_Wanted] = deque()
        # A dock that segments keeps the flows of its last result only.
        self._flows: weakref.WeakKeyDictionary[Labels, Segmentation] = weakref.WeakKeyDictionary()
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._on_end)

    @property
    def is_settled(self) -> bool:
        """Whether all that was drawn is done, or refused."""
        return not self._wanted

    def keep_flows(self, layer: Labels) -> None:
        """Keep the flows of a layer for as long as it is there."""
        found = find_segmentation(layer)
        if found is not None:
            self._flows[layer] = found

    def draw(self, layer: Labels, gesture: Gesture, points: NDArray[Any]) -> None:
        """Carry out a gesture at the points that were drawn, in the layer's pixels."""
        try:
            recorded = _recorded(layer, gesture, points)
        except ValueError as error:
            self.refused.emit(error_line(error))
            return
        self._wanted.append(_Wanted(layer, recorded))
        if not self._runner.is_running:
            self._start()

    def close(self) -> None:
        """Do no more."""
        self._wanted.clear()
        self._runner.cancel()

    def _start(self) -> None:
        while self._wanted:
            wanted = self._wanted[0]
            layer, axes = wanted.layer, layer_axes(wanted.layer)
            found = self._outputs(layer)
            self._runner.start(EditRequest(wanted.recorded, layer.data, axes, found))
            outcome = self._runner.take_end(_AT_ONCE)
            if outcome is None:
                return
            self._finish(outcome)

    def _on_end(self, outcome: Outcome) -> None:
        self._finish(outcome)
        self._start()

    def _finish(self, outcome: Outcome) -> None:
        wanted = self._wanted.popleft()
        layer = wanted.layer
        if outcome.state is JobState.DONE and layer in self._viewer.layers:
            edit: Edit = outcome.value
            stack = stack_of(layer.data, layer_axes(layer), wanted.recorded.plane[0])
            if not edit.fits(stack):  # drawn into meanwhile: once more
                self._wanted.appendleft(wanted)
                return
            edit_log(layer).write(wanted.recorded, edit)
            self.edited.emit(edit_line(edit, len(stack)))
        elif outcome.state is JobState.FAILED:
            self.refused.emit(error_line(outcome.error))

    def _outputs(self, layer: Labels) -> Segmentation | Path | None:
        """Flows of a layer; else those of another one of the same pixels, or of a file beside."""
        others = [each for each in self._viewer.layers if isinstance(each, Labels)]
        for each in (layer, *others):
            self.keep_flows(each)
            if each in self._flows and _same_pixels(each, layer):
                return self._flows[each]
        file = layer_file(layer)
        return None if file is None else find_outputs(file)


def _recorded(layer: Labels, gesture: Gesture, points: NDArray[Any]) -> RecordedEdit:
    """Gesture at points of a plane of a layer.

    Raises
    ------
    ValueError
        When the layer cannot be edited, or the points are beside it.
    """
    data = layer.data
    if not layer.visible:
        raise ValueError(f"'{layer.name}' is hidden. Show the layer to edit its objects.")
    if UNFINISHED_KEY in layer.metadata:
        raise ValueError(f"'{layer.name}' is being made. Edit the labels when they are complete.")
    if layer.multiscale:
        raise ValueError(
            f"'{layer.name}' is a pyramid, read from its file as it is shown, so it is not edited. "
            "Segment the part that is to be corrected by itself: 'Visible region only'."
        )
    if not isinstance(data, np.ndarray) or not data.flags.writeable:
        raise ValueError(
            f"'{layer.name}' is read from its file as it is shown. Duplicate the layer to "
            "edit the copy."
        )
    axes = layer_axes(layer)
    if "c" in axes:
        raise ValueError(f"'{layer.name}' has channels of labels. Split them into layers first.")
    places = np.round(points).astype(int)
    if not ((places >= 0) & (places < data.shape)).all(axis=1).any():
        raise ValueError(f"This is beside '{layer.name}'.")
    y, x = axes.index("y"), axes.index("x")
    line = tuple(dict.fromkeys((int(place[y]), int(place[x])) for place in places))
    first = dict(zip(axes, places[0].tolist(), strict=True))
    return RecordedEdit(replace(gesture, points=line), (first.get("t", 0), first.get("z", 0)))


def _same_pixels(one: Labels, other: Labels) -> bool:
    """Whether two layers lie pixel on pixel."""
    if one is other:
        return True
    if one.data.shape != other.data.shape or layer_axes(one) != layer_axes(other):
        return False
    corners = np.array([np.zeros(one.ndim), np.array(one.data.shape)])
    ours, theirs = ([layer.data_to_world(c) for c in corners] for layer in (one, other))
    return np.allclose(ours, theirs, atol=0.1 * float(np.min(np.abs(one.scale))))
