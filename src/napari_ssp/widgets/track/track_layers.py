"""Layers of tracks: the lines with their divisions, and labels with the numbers of tracks."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.widgets.layers.images import layer_axes
from napari_ssp.widgets.layers.placement import Placed, in_layer_axes, move_layer, placement

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels, Layer
    from numpy.typing import NDArray

    from napari_ssp.service import Tracks

_LABELS, _TRACKS = " tracked", " tracks"
_TRACK_ID = "track_id"  # napari's name for the first column
# In the metadata of our labels: a new layer is told apart at once.
_KEY = "napari_ssp_tracked"


@dataclass(frozen=True, eq=False)
class ShownTracks:
    """Tracks made ready for layers, by the worker.

    Attributes
    ----------
    tracks : Tracks
        What was found.
    labels : numpy.ndarray
        A view of its labels in the axes of the layer.
    points : numpy.ndarray
        (rows, 1 + axes): track, then the place in pixels of the layer.
    """

    tracks: Tracks
    labels: NDArray[np.uint32]
    points: NDArray[np.float64]


def check_time_first(layer: Labels) -> None:
    """Refuse a layer whose time is not in front, as that of napari's tracks is.

    Raises
    ------
    ValueError
        If it is not.
    """
    axes = layer_axes(layer).removeprefix("c")
    if "t" in axes and not axes.startswith("t"):
        raise ValueError(
            f"'{layer.name}' has the axes '{axes}', but napari draws tracks only where time is the "
            "first. Add the layer anew with its axis t in front."
        )


def ready_tracks(tracks: Tracks, layer: Labels) -> ShownTracks:
    """Prepare tracks for the layers beside the labels that they were made of.

    Raises
    ------
    ValueError
        If there are none: napari has no empty layer of tracks.
    """
    if tracks.num_tracks == 0:
        raise ValueError(f"'{layer.name}' has no objects to follow in any frame.")
    import_module("pandas")  # napari needs it for features; in the GUI thread that would be felt
    found, table = tracks.labels, tracks.table
    labels = in_layer_axes(found.data, found.axes, layer)
    firsts = dict(zip("tzyx", found.origin, strict=True))
    columns = [table["track"]]
    for axis in layer_axes(layer).removeprefix("c"):
        column = table.get("t" if axis == "t" else f"centroid_{axis}_px")
        columns.append(np.zeros(len(columns[0])) if column is None else column - firsts[axis])
    return ShownTracks(tracks, labels, np.stack(columns, axis=1).astype(np.float64))


class TrackLayers:
    """Shows tracks of a viewer's labels layers; another run updates the layers of the one before.

    After somebody drew in the labels, another run adds new ones: nothing is lost.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._pairs: weakref.WeakKeyDictionary[Labels, list[weakref.ref[Any]]] = (
            weakref.WeakKeyDictionary()
        )
        self._edited: weakref.WeakSet[Layer] = weakref.WeakSet()

    def is_result(self, layer: Layer | None) -> bool:
        """Whether a layer is a result as it was made."""
        return layer is not None and _KEY in layer.metadata and layer not in self._edited

    def show(self, shown: ShownTracks, source: Labels) -> Labels:
        """Add or update the layers of a result; returns that of the labels."""
        found = shown.tracks.labels
        place = placement(Placed(found.axes, found.origin, 0, {}), source)
        labels, tracks = self._known(source)
        if labels is None or labels.data.shape != shown.labels.shape:
            labels = self._add(shown, source, place)
        else:
            _update(labels, tracks, shown, place)
        source.visible = False  # or two colours would mix
        return labels

    def _known(self, source: Labels) -> tuple[Any, Any]:
        pair = [reference() for reference in self._pairs.get(source, ())]
        is_there = bool(pair) and all(layer in self._viewer.layers for layer in pair)
        if not is_there or pair[0] in self._edited:
            return None, None
        return pair[0], pair[1]

    def _add(self, shown: ShownTracks, source: Labels, place: dict[str, Any]) -> Labels:
        name = source.name.removesuffix(_LABELS)
        mark = {_KEY: True}
        labels = self._viewer.add_labels(shown.labels, name=name + _LABELS, metadata=mark, **place)
        tracks = self._viewer.add_tracks(shown.points, name=name + _TRACKS, **place)
        _describe(tracks, shown.tracks)
        labels.events.labels_update.connect(self._note_edit)
        self._pairs[source] = [weakref.ref(labels), weakref.ref(tracks)]
        return labels

    def _note_edit(self, event: Any) -> None:
        self._edited.add(event.source)


def _update(labels: Labels, tracks: Any, shown: ShownTracks, place: dict[str, Any]) -> None:
    """Give layers other tracks; the column that colours the lines stays."""
    colour, tracks.color_by = tracks.color_by, _TRACK_ID  # all others go with the data
    labels.data, tracks.data = shown.labels, shown.points
    for layer in (labels, tracks):
        move_layer(layer, place)
    _describe(tracks, shown.tracks)
    if colour in tracks.features:
        tracks.color_by = colour


def _describe(layer: Any, tracks: Tracks) -> None:
    """Give lines their divisions and the columns of the table."""
    layer.graph = {track: [parent] for track, parent in tracks.parents.items()}
    layer.features = {name: tracks.table[name] for name in tracks.table if name != "track"}
