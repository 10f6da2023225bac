"""Events of the viewer that a dock hears."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari

Slot = Callable[[Any], None]

_LIST_CHANGES = {"inserted", "removed", "reordered", "name"}
_LAYER_CHANGES = {"data", "scale", "translate", "units", "axis_labels"}


class ViewerWatch:
    """Calls a dock's methods when layers, the selection or the view change.

    It holds the dock weakly, and is no Qt object, so that a dying dock can close it.

    Parameters
    ----------
    viewer : napari.Viewer
        What to watch.
    on_layers, on_active, on_view : bound methods
        Called without arguments after a change of the list, of the active layer, and of anything
        that the plan of a run depends on.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        on_layers: Callable[[], None],
        on_active: Callable[[], None],
        on_view: Callable[[], None],
    ) -> None:
        self._on_layers = weakref.WeakMethod(on_layers)
        self._on_active = weakref.WeakMethod(on_active)
        self._on_view = weakref.WeakMethod(on_view)
        # napari before 0.9 has no scene.
        camera = getattr(viewer, "scene", viewer).camera
        dims = viewer.dims.events
        self._connections: list[tuple[Any, Slot]] = [
            (viewer.layers.events, self._hear_layers),
            (viewer.layers.selection.events.active, self._hear_active),
            (dims.ndisplay, self._hear_view),
            (dims.current_step, self._hear_view),
            (dims.order, self._hear_view),
            (camera.events.zoom, self._hear_view),
            (camera.events.center, self._hear_view),
        ]
        for emitter, slot in self._connections:
            emitter.connect(slot)

    def close(self) -> None:
        """Hear nothing more."""
        connections, self._connections = self._connections, []
        for emitter, slot in connections:
            emitter.disconnect(slot)

    def _hear_layers(self, event: Any) -> None:
        # The list repeats all events of its layers.
        if event.type in _LIST_CHANGES:
            _call(self._on_layers)
        elif event.type in _LAYER_CHANGES:
            _call(self._on_view)

    def _hear_active(self, event: Any) -> None:
        _call(self._on_active)

    def _hear_view(self, event: Any) -> None:
        _call(self._on_view)


def own_viewer(viewer: napari.Viewer) -> napari.Viewer:
    """Viewer itself: plugins get a proxy, whose layers are proxies that live for a moment only."""
    found: napari.Viewer = getattr(viewer, "__wrapped__", viewer)
    return found


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    function = method()
    if function is not None:
        function()
