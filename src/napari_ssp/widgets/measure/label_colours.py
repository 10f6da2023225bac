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


class LabelColours:
    """Colours layers by a column; setters in: ``colour``, ``restore``."""

    def __init__(self) -> None:
        self._before: weakref.WeakKeyDictionary[Labels, tuple[str, Any]] = (
            weakref.WeakKeyDictionary()
        )

    def column(self, layer: Labels) -> str | None:
        """Column that a layer is coloured by; None where labels have their own colours."""
        known = self._before.get(layer)
        return known[0] if known else None

    def colour(self, layer: Labels, column: str) -> Limits:
        """Colour a layer's objects by a column of its features; of several rows the mean counts.

        Objects without a number are grey.
        """
        labels, values = _values(layer, column)
        known = values[np.isfinite(values)]
        low, high = np.percentile(known, _PERCENTILES) if known.size else (0.0, 1.0)
        own = self._before[layer][1] if layer in self._before else layer.colormap
        share = np.clip((values - low) / ((high - low) or 1.0), 0.0, 1.0)
        steps = np.round(np.nan_to_num(share) * (_COLOURS - 1)) / (_COLOURS - 1)
        colours = ensure_colormap(COLORMAP).map(steps)
        colours[~np.isfinite(values)] = _UNKNOWN
        chosen = DirectLabelColormap(color_dict={None: _UNKNOWN, 0: "transparent"})
        # Given at once, napari would check every colour, which is felt with thousands of objects.
        chosen.color_dict.update(zip(labels.tolist(), colours.astype(np.float32), strict=True))
        layer.colormap = chosen
        self._before[layer] = (column, own)
        return Limits(float(low), float(high))

    def restore(self, layer: Labels) -> None:
        """Give each object its own colour again."""
        known = self._before.pop(layer, None)
        if known is not None:
            layer.colormap = known[1]


def columns(layer: Labels) -> list[str]:
    """Columns of numbers of a layer's features, without the label and the corners of the box."""
    features = layer.features
    names = [name for name in features if np.issubdtype(features[name].dtype, np.number)]
    return [name for name in names if name != "index" and not name.startswith("bbox_")]


def _values(layer: Labels, column: str) -> tuple[NDArray[Any], NDArray[np.float64]]:
    features = layer.features
    every = np.asarray(features["index"] if "index" in features else np.arange(len(features)))
    labels, places = np.unique(every, return_inverse=True)
    sums = np.bincount(places, np.asarray(features[column], float), minlength=len(labels))
    return labels, sums / np.bincount(places, minlength=len(labels))
