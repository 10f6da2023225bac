"""Colours of labels by their classes: of the frame or plane on display, where ids repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtGui import QColor

from napari_ssp.service.classes.classifying import CLASS, GIVEN
from napari_ssp.widgets.measure.label_colours import LabelColours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_ssp.service import Classes

#: What is predicted is paler than an example.
_PREDICTED = 0.6
_UNKNOWN = (0.5, 0.5, 0.5, 0.4)


class ClassColours:
    """Colours a layer by classes; setters in: ``show``, ``restore``."""

    def __init__(self) -> None:
        self._colours = LabelColours()

    def show(self, layer: Labels, classes: Classes, place: Mapping[str, int]) -> None:
        """Colour the objects at a place along t and z."""
        table = classes.table
        here = np.ones(len(table["label"]), bool)
        for axis, i in place.items():
            if axis in table:
                here &= table[axis] == i
        colors = {name: QColor(color).getRgbF()[:3] for name, color in classes.colors.items()}
        rgba = [
            (*colors[name], 1.0 if given else _PREDICTED) if name in colors else _UNKNOWN
            for name, given in zip(table[CLASS][here], table[GIVEN][here], strict=True)
        ]
        self._colours.paint(layer, CLASS, table["label"][here], _rows(rgba))

    def restore(self, layer: Labels | None) -> None:
        """Give each object its own colour again."""
        if layer is not None:
            self._colours.restore(layer)


def _rows(colours: list[Any]) -> NDArray[Any]:
    return np.array(colours, np.float32).reshape(-1, 4)
