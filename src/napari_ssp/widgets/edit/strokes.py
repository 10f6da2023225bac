"""Clicks and lines that a person draws on the canvas with a tool."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QObject, Signal

from napari_ssp.widgets.layers.alignment import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray

_COLOUR = "#ffe100"  # as the outline of a selected object
_WIDTH = 3  # pixels of the screen
#: Whose tool the mouse of a viewer draws with.
_OWNERS: weakref.WeakKeyDictionary[Any, weakref.ref[Strokes]] = weakref.WeakKeyDictionary()
#: A hand moves this far, in pixels of the screen, while it clicks.
_STILL = 4


class Strokes(QObject):
    """Draws lines on the layer that a tool acts on, and tells of them.

    Signals: ``drawn(layer, points)``, points (N, ndim) in the layer's pixels; ``lost``, when
    another dock has taken the mouse, so that its own tool is to be put away.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose mouse is heard.
    target : callable
        Gives the layer that is drawn on and whether a line is wanted; None where no tool is
        chosen. A bound method, held weakly.
    parent : QObject
        The dock; it calls ``close`` when it leaves.
    """

    drawn = Signal(object, object)
    lost = Signal()

    def __init__(
        self, viewer: napari.Viewer, target: Callable[[], tuple[Labels, bool] | None], parent: Any
    ) -> None:
        super().__init__(parent)
        self._viewer, self._target = viewer, weakref.WeakMethod(target)
        self._line = _Line(viewer)
        own = weakref.WeakMethod(self._drag)

        def drag(viewer: Any, event: Any) -> Iterator[None]:
            method = own()
            if method is not None:
                yield from method(event)

        self._callback = drag
        viewer.mouse_drag_callbacks.append(drag)

    def take(self) -> None:
        """Draw with the viewer's mouse from now on, in place of another dock."""
        known = _OWNERS.get(self._viewer)
        before = known() if known is not None else None
        _OWNERS[self._viewer] = weakref.ref(self)
        if before is not None and before is not self:
            before.lost.emit()

    def close(self) -> None:
        """Hear nothing more."""
        known = _OWNERS.get(self._viewer)
        if known is not None and known() is self:
            del _OWNERS[self._viewer]
        if self._callback in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._callback)
        self._line.clear()

    def _drag(self, event: Any) -> Iterator[None]:
        """Follow the mouse from a press of the left button to its release."""
        target = self._target()
        found = target() if target is not None else None
        if found is None or event.button != 1 or event.modifiers:
            return
        layer, is_line = found
        camera = self._viewer.scene.camera
        panned, start = camera.mouse_pan, np.array(event.pos)
        camera.mouse_pan = panned and not is_line
        points, moved = [_pixel(layer, event)], False
        try:
            yield
            while event.type == "mouse_move":
                moved = moved or float(np.abs(event.pos - start).max()) > _STILL
                if is_line:
                    points.append(_pixel(layer, event))
                    self._line.show(layer, np.array(points))
                yield
        finally:
            camera.mouse_pan = panned
            self._line.clear()
        if is_line:
            points.append(_pixel(layer, event))  # a quick hand is heard only now and then
        if is_line or not moved:
            self.drawn.emit(layer, np.array(points))


class _Line:
    """Layer that shows a line while it is drawn; what is selected stays so."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._layer: Shapes | None = None

    def show(self, labels: Labels, points: NDArray[Any]) -> None:
        if self._layer is not None:
            self._layer.data = [points]
            return
        layers, selection = self._viewer.layers, self._viewer.layers.selection
        selected, active = set(selection), selection.active
        width = _WIDTH / (self._viewer.scene.camera.zoom * float(abs(labels.scale[-1])))
        look: Any = {
            "edge_color": _COLOUR,
            "edge_width": width,
            "shape_type": "path",
            "opacity": 1.0,
        }
        self._layer = Shapes([points], name="line", **look, **place_of(labels))
        layers.append(self._layer)
        layers.selection = selected
        layers.selection.active = active

    def clear(self) -> None:
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)


def _pixel(layer: Labels, event: Any) -> NDArray[Any]:
    return np.asarray(layer.world_to_data(event.position), float)
