"""Results as layers: new ones, or those of an earlier run brought up to date."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.results import in_layer_axes, placement

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray

    from napari_ssp.widgets.results import Prepared

METADATA_KEY = "napari_ssp"


@dataclass(frozen=True)
class _Kind:
    """A kind of result: its name, and how its layer looks at first."""

    name: str
    add: str
    look: dict[str, Any]


_FLOWS = _Kind("flows", "add_image", {"rgb": True, "visible": False})
_PROBABILITY = _Kind(
    "cell probability",
    "add_image",
    {
        "contrast_limits": (0.0, 1.0),
        "colormap": "magma",
        "blending": "additive",
        "visible": False,
    },
)
_LABELS = _Kind("labels", "add_labels", {})


class _Target:
    """Where a result goes: its source, the pixels that it covers, its layers' attributes."""

    def __init__(self, source: Image, prepared: Prepared) -> None:
        self.source = source
        self.place = (prepared.axes, prepared.origin, prepared.channel)
        self.attributes = placement(prepared, source)


class _Shown:
    """A layer that shows a result, until a person draws in it."""

    def __init__(self, layer: Layer, place: tuple[Any, ...]) -> None:
        self.layer = weakref.ref(layer)
        self.place = place
        self.edited = False
        if hasattr(layer.events, "paint"):
            layer.events.paint.connect(self._note_edit)

    def _note_edit(self, event: Any) -> None:
        self.edited = True


class ResultLayers:
    """Shows results of a viewer's image layers.

    A run over the same pixels updates the layers of the run before. A run elsewhere (another
    plane, region or channel), or after somebody drew in the labels, adds new ones: nothing is lost.

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

    def show(self, prepared: Prepared, source: Image) -> Labels:
        """Add or update the layers of a result, the labels on top.

        Parameters
        ----------
        prepared : Prepared
            The result.
        source : napari.layers.Image
            The layer that was segmented, still in the viewer.

        Returns
        -------
        napari.layers.Labels
        """
        target = _Target(source, prepared)
        wanted = [
            (_FLOWS, prepared.flows),
            (_PROBABILITY, prepared.probability),
            (_LABELS, prepared.labels),
        ]
        layer: Any = None
        for kind, array in wanted:
            if array is not None:
                data = in_layer_axes(array, prepared.axes, source)
                layer = self._update(kind, data, target) or self._add(kind, data, target)
                layer.metadata = {**layer.metadata, METADATA_KEY: prepared.provenance}
        return layer

    def _add(self, kind: _Kind, data: NDArray[Any], target: _Target) -> Layer:
        add = getattr(self._viewer, kind.add)
        layer: Layer = add(
            data,
            name=f"{target.source.name} {kind.name}",
            metadata={METADATA_KEY: {}},  # tells the dock at once that it is no image to segment
            **target.attributes,
            **kind.look,
        )
        self._shown.setdefault(target.source, {})[kind.name] = _Shown(layer, target.place)
        return layer

    def _update(self, kind: _Kind, data: NDArray[Any], target: _Target) -> Layer | None:
        shown = self._shown.get(target.source, {}).get(kind.name)
        layer = shown.layer() if shown else None
        if shown is None or layer is None or layer not in self._viewer.layers:
            return None
        if shown.edited or shown.place != target.place or layer.data.shape != data.shape:
            return None
        layer.data = data
        for name, value in target.attributes.items():
            setattr(layer, name, value)
        return layer
