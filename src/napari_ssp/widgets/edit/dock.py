"""The Edit dock: tools for objects, connected to a viewer."""

from __future__ import annotations

from functools import partialmethod
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_ssp.service import Tool
from napari_ssp.widgets.docks.dock_widget import DockWidget
from napari_ssp.widgets.docks.viewer_watch import ViewerWatch, own_viewer
from napari_ssp.widgets.edit.editing import Editing
from napari_ssp.widgets.edit.keys import DRAWN, EDIT_KEYS
from napari_ssp.widgets.edit.panel import EditPanel
from napari_ssp.widgets.edit.strokes import Strokes
from napari_ssp.widgets.layers.images import layer_image, plane_obstacle

if TYPE_CHECKING:
    import napari
    from numpy.typing import NDArray

_NO_LABELS = "Select one labels layer to edit."
_HAND = "pan_zoom"  # the mode in which napari draws nothing


class EditDock(DockWidget):
    """Edits objects of the labels layer that is selected in a viewer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the layers are.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer = own_viewer(napari_viewer)
        self.panel = EditPanel()
        self.editing = Editing(self._viewer, self)
        self.strokes = Strokes(self._viewer, self._target, self)
        self._layer: Labels | None = None
        self.strokes.drawn.connect(self._draw)
        self.strokes.lost.connect(self._put_away)
        self.editing.edited.connect(self.panel.set_message)
        self.editing.refused.connect(self._warn)
        self.panel.changed.connect(self._take_tool)
        self._watch = ViewerWatch(self._viewer, self._follow, self._follow, self._follow)
        self.destroyed.connect(self._watch.close)
        self.left.connect(self._leave)
        EDIT_KEYS.listen(self._viewer, self)
        self.add(self.panel)
        self._follow()

    def toggle(self, tool: Tool) -> None:
        """Choose a tool, or put it away, as its button and its key do."""
        self.panel.choose(None if self.panel.tool() is tool else tool)

    toggle_add = partialmethod(toggle, Tool.ADD)
    toggle_split = partialmethod(toggle, Tool.SPLIT)
    toggle_join = partialmethod(toggle, Tool.JOIN)
    toggle_remove = partialmethod(toggle, Tool.REMOVE)
    toggle_grow = partialmethod(toggle, Tool.GROW)
    toggle_shrink = partialmethod(toggle, Tool.SHRINK)

    def _target(self) -> tuple[Labels, bool] | None:
        """Layer that is drawn on, and whether by lines."""
        tool = self.panel.tool()
        if tool is None:
            return None
        layer = self._layer
        obstacle = _NO_LABELS if layer is None else plane_obstacle(layer, self._viewer, "Editing")
        if layer is None or obstacle is not None:
            self._warn(obstacle or "")
            return None
        return layer, tool in DRAWN

    def _draw(self, layer: Labels, points: NDArray[Any]) -> None:
        gesture = self.panel.gesture()
        if gesture is not None:
            self.editing.draw(layer, gesture, points)

    def _follow(self) -> None:
        """Turn to the layer that is selected."""
        active = self._viewer.layers.selection.active
        layer = active if isinstance(active, Labels) else None
        if layer is self._layer:
            return
        self._leave_layer()
        self._layer = layer
        if layer is not None:
            layer.events.mode.connect(self._follow_mode)
            self.editing.keep_flows(layer)
            self.panel.set_depth(_depth(layer))
        self._take_tool()

    def _take_tool(self) -> None:
        """Take napari's own tools out of the hand; it would draw, too."""
        if self.panel.tool() is not None:
            self.strokes.take()
        if self._layer is not None and self.panel.tool() is not None:
            self._layer.mode = _HAND

    def _follow_mode(self, event: Any = None) -> None:
        """Put our tool away when one of napari's is chosen."""
        if self._layer is not None and self._layer.mode != _HAND:
            self._put_away()

    def _put_away(self) -> None:
        self.panel.choose(None)

    def _warn(self, text: str) -> None:
        self.panel.set_message(text, "warning")

    def _leave_layer(self) -> None:
        if self._layer is not None:
            self._layer.events.mode.disconnect(self._follow_mode)
        self._layer = None

    def _leave(self) -> None:
        EDIT_KEYS.forget(self._viewer, self)
        self._watch.close()
        self.strokes.close()
        self.editing.close()
        self._leave_layer()


def _depth(layer: Labels) -> int:
    """How many planes a layer has; 1 where that cannot be told, which is said at the first edit."""
    try:
        return layer_image(layer).sizes.get("z", 1)
    except (TypeError, ValueError):
        return 1
