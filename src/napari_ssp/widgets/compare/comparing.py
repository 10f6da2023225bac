"""Colours of the fates of objects, and the mark of layers that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels

from napari_ssp.io.layer_attributes import METADATA_KEY, UNFINISHED_KEY
from napari_ssp.metrics import Category

if TYPE_CHECKING:
    import napari

#: In the metadata of layers that show something about objects, e.g. a comparison: they hold none.
COMPARISON_KEY = "napari_ssp_comparison"

#: Colours that people with any colour vision can tell apart (Okabe and Ito, 2008).
COLOURS = {
    Category.MATCHED: "#009e73",
    Category.MISSED: "#d55e00",
    Category.EXTRA: "#56b4e9",
    Category.SPLIT: "#f0e442",
    Category.MERGED: "#cc79a7",
}


def is_predicted(layer: Labels) -> bool:
    """Whether one of our models has made a layer."""
    return METADATA_KEY in layer.metadata


def list_object_labels(viewer: napari.Viewer) -> list[Labels]:
    """Labels layers of a viewer, without those that show a comparison or are being made."""
    labels = [layer for layer in viewer.layers if isinstance(layer, Labels)]
    return [x for x in labels if not {COMPARISON_KEY, UNFINISHED_KEY} & set(x.metadata)]
