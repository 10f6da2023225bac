"""Results as layers: new ones, or those of an earlier run brought up to date."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io.layer_attributes import METADATA_KEY, ORIGIN_KEY
from napari_ssp.place import PLACES, place_in
from napari_ssp.widgets.layers.edit_log import edit_log, find_log, recorded_edits
from napari_ssp.widgets.layers.images import in_layer, layer_image
from napari_ssp.widgets.layers.placement import in_layer_axes, move_layer, placement
from napari_ssp.widgets.layers.replacements import replacements
from napari_ssp.widgets.layers.shown_segmentations import remember_segmentation

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

    from napari_ssp.service import Edits, RecordedEdit
    from napari_ssp.widgets.layers.contrast import Contrast
    from napari_ssp.widgets.layers.placement import Part, Placed

#: Pixels that are copied in the GUI thread without being felt.
_COPIED = 2**22
#: Attributes that napari takes only of a layer that is there.
_LATER = {"contour"}


class _Target:
    """Where a result goes: its source, the pixels that it covers, its layers' attributes."""

    def __init__(self, source: Image, placed: Placed) -> None:
        self.source = source
        self.axes = placed.axes
        self.place = (placed.axes, placed.origin, placed.channel)
        self.attributes = placement(placed, source)
        lengths = dict(zip(placed.axes, placed.parts[0].data.shape, strict=False))
        place = place_in(layer_image(source), in_layer(source, placed.origin), lengths)
        known = zip(PLACES, placed.origin, strict=True)
        self.origin = {a: n for a, n in known if n or a in place["full_axes"]}


class _Shown:
    """A layer that shows a result, until the user changes its pixels or commits it."""

    def __init__(self, layer: Layer, place: tuple[Any, ...]) -> None:
        self.layer = weakref.ref(layer)
        self.place = place
        self.data: NDArray[Any] | None = None
        self.kept = False
        self.is_updating = False
        self.contrast: Contrast | None = None
        layer.events.data.connect(self._keep)  # by a script, or another plugin
        if hasattr(layer.events, "paint"):
            layer.events.paint.connect(self._keep)

    def update(self, layer: Layer, data: Any) -> None:
        """Give the layer the pixels of a later result."""
        self.is_updating = True
        try:
            _set_data(layer, data)
        finally:
            self.is_updating = False

    def set_contrast(self, layer: Any, contrast: Contrast) -> None:
        """Show the values well, unless the user has chosen limits that still show them."""
        before, self.contrast = self.contrast, contrast
        limits, span = tuple(layer.contrast_limits), contrast.span
        is_chosen = before is not None and limits != before.limits
        if is_chosen and limits[0] < span[1] and limits[1] > span[0]:
            return
        layer.contrast_limits_range = span
        layer.contrast_limits = contrast.limits

    def _keep(self, event: Any) -> None:
        log = find_log(self.layer())
        is_edit = log is not None and log.is_writing  # edits are made again in other labels
        if not is_edit and not self.is_updating:
            self.kept = True


class ResultLayers:
    """Shows results of a viewer's image layers.

    A run over the same pixels updates the layers of the run before. A run elsewhere (another
    plane, region or channel), or after somebody drew in the labels, replaced or committed them,
    adds new ones: nothing is lost.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._shown: weakref.WeakKeyDictionary[Layer, dict[str, _Shown]] = (
            weakref.WeakKeyDictionary()
        )

    def show(self, placed: Placed, source: Image) -> None:
        """Add or update the layers of a result.

        Parameters
        ----------
        placed : Placed
            The result.
        source : napari.layers.Image
            The layer that it was made from, still in the viewer.
        """
        target = _Target(source, placed)
        for part in placed.parts:
            data: Any = in_layer_axes(part.data, target.axes, source)
            if part.levels:
                smaller = (in_layer_axes(level, target.axes, source) for level in part.levels)
                data = [data, *smaller]
            edits = getattr(placed, "edits", ())
            layer = self._update(part, data, target, edits) or self._add(part, data, target)
            layer.metadata = {**layer.metadata, METADATA_KEY: placed.provenance}
            if target.origin or ORIGIN_KEY in layer.metadata:
                layer.metadata[ORIGIN_KEY] = target.origin
            if (found := getattr(placed, "segmentation", None)) is not None:
                remember_segmentation(layer, found)
            shown = self._shown[source][part.name]
            shown.data = part.data
            if part.add == "add_labels" and (edits or find_log(layer) is not None):
                edit_log(layer).replay(edits)
            if part.contrast is not None:
                shown.set_contrast(layer, part.contrast)
            if part.add == "add_labels":
                replacements().done.emit(layer)

    def layer(self, source: Image, name: str) -> Layer | None:
        """Layer of the last result's part that a later one will update; None without one."""
        shown = self._shown.get(source, {}).get(name)
        layer = shown.layer() if shown and not shown.kept else None
        return layer if layer in self._viewer.layers else None

    def keep(self, source: Image, name: str) -> Layer | None:
        """Leave a part's layer alone from now on, and return it; None without one."""
        layer = self.layer(source, name)
        if layer is not None:
            self._shown[source][name].kept = True
        return layer

    def patch(self, source: Image, name: str, place: tuple[Any, ...], block: NDArray[Any]) -> bool:
        """Replace pixels of a part's layer, unless it is not to be touched.

        Parameters
        ----------
        source : napari.layers.Image
            The layer that the result was made from.
        name : str
            Name of the part.
        place : tuple
            Index into the part's array.
        block : numpy.ndarray
            New pixels.

        Returns
        -------
        bool
            Whether they are on display.
        """
        layer = self.layer(source, name)
        if layer is None:
            return False
        data = self._shown[source][name].data
        assert data is not None
        replacements().begins.emit(layer)
        if (log := find_log(layer)) is not None:
            log.suspend()
        data[place] = block
        layer.refresh(extent=False, highlight=False)
        return True

    def _add(self, part: Part, data: Any, target: _Target) -> Layer:
        look = {name: value for name, value in part.look.items() if name not in _LATER}
        if part.contrast is not None:
            look["contrast_limits"] = part.contrast.limits  # or napari would read all pixels
        layer: Layer = getattr(self._viewer, part.add)(
            data,
            name=f"{target.source.name} {part.name}",
            metadata={METADATA_KEY: {}},  # tells the dock at once that it is no image to segment
            **target.attributes,
            **look,
        )
        for attribute in _LATER & set(part.look):
            setattr(layer, attribute, part.look[attribute])
        self._shown.setdefault(target.source, {})[part.name] = _Shown(layer, target.place)
        return layer

    def recorded_edits(self, source: Image, name: str) -> tuple[RecordedEdit, ...]:
        """Edits by hand in a part's layer, also in one that is left alone."""
        shown = self._shown.get(source, {}).get(name)
        return recorded_edits(shown.layer()) if shown else ()

    def _update(self, part: Part, data: Any, target: _Target, edits: Edits) -> Layer | None:
        shown = self._shown.get(target.source, {}).get(part.name)
        layer = shown.layer() if shown else None
        if shown is None or layer is None or layer not in self._viewer.layers:
            return None
        full, is_pyramid = (data[0], True) if part.levels else (data, False)
        if shown.kept or shown.place != target.place or layer.multiscale != is_pyramid:
            return None
        if layer.data.shape != full.shape:
            return None
        if recorded_edits(layer) != tuple(recorded for recorded, _ in edits):
            return None  # those of the layer would be lost
        if part.add == "add_labels":
            replacements().begins.emit(layer)
        shown.update(layer, data)
        if len(getattr(layer, "features", ())):
            layer.features = {}  # they were measured on other pixels
        move_layer(layer, target.attributes)
        return layer


def _set_data(layer: Any, data: Any) -> None:
    """Give a layer other pixels; into a small array they are copied, and napari only draws."""
    shown = layer.data
    is_plain = type(shown) is np.ndarray and shown.flags.writeable
    is_plain &= isinstance(data, np.ndarray)
    if not is_plain or shown.dtype != data.dtype or data.size > _COPIED:
        layer.data = data
        return
    np.copyto(shown, data)
    layer.refresh(extent=False, highlight=False)
