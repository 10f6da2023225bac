"""Connection of the table of objects with the viewer: rows show objects, objects find rows."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_ssp.widgets.layers.images import layer_axes
from napari_ssp.widgets.measure.object_outline import ObjectOutline
from napari_ssp.widgets.measure.object_place import find_object, layer_origin, show_object
from napari_ssp.widgets.measure.object_table import from_features
from napari_ssp.widgets.measure.table_panel import TablePanel

if TYPE_CHECKING:
    from collections.abc import Generator

    import napari
    from napari.layers import Labels

    from napari_ssp.widgets.measure.freshness import Freshness

_TITLE = "Measured objects"
_STILL = 4.0  # pixels of the screen: a hand that clicks may move so far


class TableLink(QObject):
    """Shows the table of a labels layer below the canvas.

    Signal out: ``measure_clicked``. Setters in: ``open``, ``follow``, ``close``.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the table, and the outline of the object that was chosen.
    freshness : Freshness
        Knows whether the table still holds.
    parent : QObject
        The dock.
    """

    measure_clicked = Signal()

    def __init__(self, viewer: napari.Viewer, freshness: Freshness, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._freshness = viewer, freshness
        self._layer: weakref.ref[Labels] | None = None
        self._outline = ObjectOutline(viewer)
        self._label = 0
        self._click: Any = None
        self.panel: TablePanel | None = None
        freshness.changed.connect(self._show_age)

    def open(self, layer: Labels) -> None:
        """Show a layer's table, in front."""
        if self.panel is None:
            self.panel = TablePanel()
            self.panel.picked.connect(self._pick)
            self.panel.measure_clicked.connect(self.measure_clicked)
            self.panel.left.connect(self._forget)
            self._viewer.window.add_dock_widget(self.panel, name=_TITLE, area="bottom")
            self._click = _weak_click(self)
            self._viewer.mouse_drag_callbacks.append(self._click)
        self.follow(layer)
        frame: Any = self.panel.parent()
        frame.show()
        frame.raise_()

    def follow(self, layer: Labels | None) -> None:
        """Show the table of another layer, where it is open."""
        before = self.layer()
        if self.panel is None or layer is before:
            return
        if before is not None:
            before.events.features.disconnect(self._show_table)
            before.events.name.disconnect(self._show_title)
            before.events.selected_label.disconnect(self._follow_label)
            self._outline.clear()
        self._layer = None if layer is None else weakref.ref(layer)
        if layer is not None:
            layer.events.features.connect(self._show_table)
            layer.events.name.connect(self._show_title)
            layer.events.selected_label.connect(self._follow_label)
            self._label = int(layer.selected_label)
        self._show_table()

    def layer(self) -> Labels | None:
        """Layer whose table is shown."""
        return self._layer() if self._layer else None

    def close(self) -> None:
        """Take the table out of the window."""
        if self.panel is not None:
            self._viewer.window.remove_dock_widget(self.panel)

    def _forget(self) -> None:
        """Let go of a table that has left the window."""
        self.follow(None)
        self.panel = None
        if self._click in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._click)

    def _show_table(self, event: Any = None) -> None:
        layer = self.layer()
        if self.panel is None:
            return
        self._outline.clear()
        self.panel.set_table(from_features(layer.features if layer is not None else {}))
        self.panel.set_note("")
        self._show_title()
        self._show_age()

    def _show_title(self, event: Any = None) -> None:
        layer = self.layer()
        if self.panel is None:
            return
        if layer is None:
            self.panel.title.setText("No labels are chosen.")
        elif len(layer.features):
            self.panel.title.setText(f"Objects of '{layer.name}'")
        else:
            self.panel.title.setText(f"The objects of '{layer.name}' are not measured yet.")

    def _show_age(self) -> None:
        if self.panel is not None:
            self.panel.set_old(self._freshness.is_old(self.layer()))

    def _pick(self, label: int) -> None:
        """Show the object of a row that a person went to."""
        layer = self.layer()
        if layer is None or layer not in self._viewer.layers:
            return
        self._label = label
        layer.selected_label = label
        self._point_at(layer, label, move=True)

    def _follow_label(self, event: Any = None) -> None:
        """Go to the row of the object that was picked in the viewer."""
        layer = self.layer()
        if layer is None or self.panel is None or self._label == layer.selected_label:
            return  # also told when the colours change
        self._label = label = int(layer.selected_label)
        self.panel.choose(label, _position(layer, self._viewer))
        self._point_at(layer, label, move=False)

    def _point_at(self, layer: Labels, label: int, *, move: bool) -> None:
        assert self.panel is not None
        model = self.panel.model
        rows = [model.values(row) for row in model.rows(label)]
        place = find_object(layer, label, rows) if label else None
        if place is None:
            self._outline.clear()
            self.panel.set_note(f"No pixel has the label {label} now." if rows else "")
            return
        self.panel.set_note("" if rows else f"Object {label} is not in the table: measure again.")
        if not layer.visible and move:
            layer.visible = True
        self._outline.show(layer, place)
        if move:
            show_object(self._viewer, layer, place)

    def click(self, event: Any) -> Generator[None, None, None]:
        """Pick the object under a click, while layers are moved about and not edited."""
        active, layer = self._viewer.layers.selection.active, self.layer()
        if layer is None or not layer.visible or getattr(active, "mode", "pan_zoom") != "pan_zoom":
            return
        start = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.asarray(event.pos, float) - start).max() > _STILL:
            return
        value = layer.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        value = value[1] if isinstance(value, tuple) else value
        if value:
            layer.selected_label = int(value)


def _position(layer: Labels, viewer: napari.Viewer) -> dict[str, int]:
    """Plane and frame on display, as the table counts them."""
    place = np.round(np.asarray(layer.world_to_data(viewer.dims.point))).astype(int)
    known, origin = zip(layer_axes(layer), place, strict=True), layer_origin(layer)
    return {axis: int(i) + origin[axis] for axis, i in known if axis in "tz"}


def _weak_click(link: TableLink) -> Any:
    """Mouse callback that does not keep its owner alive: the viewer may live longer."""
    found = weakref.ref(link)

    def click(viewer: Any, event: Any) -> Generator[None, None, None]:
        owner = found()
        if owner is not None:
            yield from owner.click(event)

    return click
