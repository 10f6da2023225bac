"""Layer with the outline of one object, on top of the labels that it belongs to."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_ssp.widgets.compare.comparing import COMPARISON_KEY
from napari_ssp.widgets.layers.alignment import place_of

if TYPE_CHECKING:
    import napari
    from numpy.typing import NDArray

    from napari_ssp.widgets.measure.object_place import ObjectPlace

_NAME = "selected object"
_COLOUR = "#ffe100"  # hardly a label's own colour, and seen on dark and bright images
_WIDTH = 2


class ObjectOutline:
    """Shows the outline of an object at a time; setters in: ``show``, ``clear``.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._layer: weakref.ref[Labels] | None = None
        self._labels: weakref.ref[Labels] | None = None

    def show(self, labels: Labels, place: ObjectPlace) -> None:
        """Draw around an object; what is selected in the list of layers stays so."""
        if self._moved(labels, place):
            return
        self.clear()
        self._labels = weakref.ref(labels)
        selected, active = set(self._viewer.layers.selection), self._viewer.layers.selection.active
        layer = _outline(labels, place)
        self._viewer.layers.insert(self._viewer.layers.index(labels) + 1, layer)
        self._viewer.layers.selection = selected
        self._viewer.layers.selection.active = active
        self._layer = weakref.ref(layer)

    def _moved(self, labels: Labels, place: ObjectPlace) -> bool:
        """Show another object of the same labels in the layer that is there: napari is quicker so.

        Returns
        -------
        bool
            Whether that was possible.
        """
        layer = self._layer() if self._layer else None
        known = self._labels() if self._labels else None
        if layer is None or known is None or known is not labels:
            return False
        if not {layer, labels} <= set(self._viewer.layers):
            return False
        if not np.array_equal(layer.scale, labels.scale):
            return False
        layer.data, where = _mask(place), place_of(labels, _start(place))
        layer.translate = where["translate"]
        layer.visible = True
        return True

    def clear(self) -> None:
        """Take the outline away."""
        layer = self._layer() if self._layer else None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        self._layer = None


def _outline(labels: Labels, place: ObjectPlace) -> Labels:
    layer = Labels(
        _mask(place),
        name=_NAME,
        colormap=DirectLabelColormap(color_dict={None: "transparent", 1: _COLOUR}),
        opacity=1.0,
        metadata={COMPARISON_KEY: True},
        **place_of(labels, _start(place)),
    )
    layer.contour = _WIDTH
    return layer


def _mask(place: ObjectPlace) -> NDArray[np.uint8]:
    # Drawn inside of the edge: with a margin, an object that fills its box has an edge too.
    return np.pad(place.mask, 1).astype(np.uint8)


def _start(place: ObjectPlace) -> NDArray[np.float64]:
    return np.array(place.start, float) - 1
