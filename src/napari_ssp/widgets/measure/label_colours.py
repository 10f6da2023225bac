"""Colours of labels by what was measured of them, and the way back to their own."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap

if TYPE_CHECKING:
    from napari.layers import Labels
    from numpy.typing import NDArray

COLORMAP = "viridis"  # evenly brighter, also for colour-blind people and in grey
_UNKNOWN = (0.5, 0.5, 0.5, 1.0)
# A single giant or speck would take the colours from all others.
_PERCENTILES = (1, 99)
# As many as the colormap has. Of more than 65,536 napari finds no way back to a label's own colour.
_COLOURS = 256


@dataclass(frozen=True)
class Limits:
    """Values at the dark and the bright end of the colours."""

    low: float
    high: float


#: Colours of their own that layers had before anyone coloured them.
_OWN: weakref.WeakKeyDictionary[Labels, Any] = weakref.WeakKeyDictionary()


class LabelColours:
    """Colours layers by a column; setters in: ``colour``, ``paint``, ``restore``."""

    def __init__(self) -> None:
        self._columns: weakref.WeakKeyDictionary[Labels, str] = weakref.WeakKeyDictionary()

    def column(self, layer: Labels) -> str | None:
        """Column that a layer is coloured by; None where labels have their own colours."""
        return self._columns.get(layer)

    def colour(self, layer: Labels, column: str) -> Limits:
        """Colour a layer's objects by a column of its features; of several rows the mean counts.

        Objects without a number are grey.
        """
        labels, values = _values(layer, column)
        known = values[np.isfinite(values)]
        low, high = np.percentile(known, _PERCENTILES) if known.size else (0.0, 1.0)
        share = np.clip((values - low) / ((high - low) or 1.0), 0.0, 1.0)
        steps = np.round(np.nan_to_num(share) * (_COLOURS - 1)) / (_COLOURS - 1)
        colours = ensure_colormap(COLORMAP).map(steps)
        colours[~np.isfinite(values)] = _UNKNOWN
        self.paint(layer, column, labels, colours)
        return Limits(float(low), float(high))

    def paint(
        self, layer: Labels, column: str, labels: NDArray[Any], colours: NDArray[Any]
    ) -> None:
        """Colour objects by (N, 4) red, green, blue, alpha from 0 to 1; others are grey."""
        chosen = DirectLabelColormap(color_dict={None: _UNKNOWN, 0: "transparent"})
        # Given at once, napari would check every colour, which is felt with thousands of objects.
        chosen.color_dict.update(zip(labels.tolist(), colours.astype(np.float32), strict=True))
        _OWN.setdefault(layer, layer.colormap)
        layer.colormap = chosen
        self._columns[layer] = column

    def restore(self, layer: Labels) -> None:
        """Give each object its own colour again."""
        own = _OWN.pop(layer, None) if self._columns.pop(layer, None) else None
        if own is not None:
            layer.colormap = own


def columns(layer: Labels) -> list[str]:
    """Columns of numbers of a layer's features, without the label and the corners of the box."""
    features = layer.features
    names = [name for name in features if features[name].dtype.kind in "iuf"]
    return [name for name in names if name != "index" and not name.startswith("bbox_")]


def _values(layer: Labels, column: str) -> tuple[NDArray[Any], NDArray[np.float64]]:
    features = layer.features
    every = np.asarray(features["index"] if "index" in features else np.arange(len(features)))
    labels, places = np.unique(every, return_inverse=True)
    sums = np.bincount(places, np.asarray(features[column], float), minlength=len(labels))
    return labels, sums / np.bincount(places, minlength=len(labels))
