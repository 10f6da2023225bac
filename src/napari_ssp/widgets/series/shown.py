"""Image of a series on display, in place of the one before."""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_ssp.io.layer_attributes import METADATA_KEY

if TYPE_CHECKING:
    import napari

    from napari_ssp.service.series.opening import OpenedImage


class ShownImage:
    """Layers of the image that is on display.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._layers: list[Layer] = []
        #: Layers that were there before it.
        self._others: weakref.WeakSet[Layer] = weakref.WeakSet()

    def show(self, opened: OpenedImage) -> Labels | None:
        """Show an image and its labels; what was made of the one before goes with it.

        Returns
        -------
        napari.layers.Labels or None
            The layer of the labels, which is selected; None where the image has none.
        """
        view = _View(self._viewer, self._layers)
        self.clear()
        self._others = weakref.WeakSet(self._viewer.layers)
        found = [opened.labels] if opened.labels is not None else []
        self._layers = [Layer.create(*data) for data in (*opened.layers, *found)]
        for layer in self._layers:
            self._viewer.add_layer(layer)
        view.restore(self._layers)
        self._viewer.layers.selection.active = self._layers[-1]
        return self._layers[-1] if found else None

    def clear(self) -> None:
        """Take the image away, its labels, and pictures that were made of them.

        Labels that nobody saved stay.
        """
        made = [layer for layer in self._viewer.layers if self._is_made_of_it(layer)]
        for layer in [*made, *self._layers]:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers = []

    def add(self, labels: Labels) -> None:
        """Take a layer for the labels of the image."""
        self._layers.append(labels)

    def find_new_labels(self) -> list[Labels]:
        """Labels of the whole image that came after it."""
        known = {*self._others, *self._layers}
        return [x for x in self._viewer.layers if x not in known and self.fits(x)]

    def fits(self, layer: Any) -> bool:
        """Whether a layer can be the labels of the whole image."""
        image = next((each for each in self._layers if isinstance(each, Image)), None)
        if image is None or not isinstance(layer, Labels) or layer.multiscale:
            return False
        first = image.data[0] if image.multiscale else image.data
        if layer.data.shape != tuple(first.shape)[: image.ndim]:
            return False
        places = zip(
            (*layer.scale, *layer.translate), (*image.scale, *image.translate), strict=True
        )
        return all(math.isclose(one, other, abs_tol=1e-9) for one, other in places)

    def _is_made_of_it(self, layer: Layer) -> bool:
        is_new = bool(self._layers) and layer not in self._others
        return is_new and isinstance(layer, Image) and METADATA_KEY in layer.metadata


class _View:
    """Where the camera stands; kept for an image of the same size.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose camera it is.
    layers : list of napari.layers.Layer
        What it shows.
    """

    def __init__(self, viewer: napari.Viewer, layers: list[Layer]) -> None:
        self._viewer, self._extent = viewer, _extent(layers)
        camera = _camera(viewer)
        self._center, self._zoom = camera.center, camera.zoom
        self._point = viewer.dims.point

    def restore(self, layers: list[Layer]) -> None:
        """Look at the same place, where there is the same place."""
        if self._extent is None or not np.array_equal(self._extent, _extent(layers)):
            return
        self._viewer.dims.point = self._point
        camera = _camera(self._viewer)
        camera.center, camera.zoom = self._center, self._zoom


def _extent(layers: list[Layer]) -> Any:
    return layers[0].extent.world if layers else None


def _camera(viewer: napari.Viewer) -> Any:
    return getattr(viewer, "scene", viewer).camera  # napari before 0.9 has no scene
