"""Colours of the fates of objects, and the mark of layers that show them."""

from __future__ import annotations

from napari_ssp.metrics import Category

#: In the metadata of layers that show a comparison: they hold no objects.
COMPARISON_KEY = "napari_ssp_comparison"

#: Colours that people with any colour vision can tell apart (Okabe and Ito, 2008).
COLOURS = {
    Category.MATCHED: "#009e73",
    Category.MISSED: "#d55e00",
    Category.EXTRA: "#56b4e9",
    Category.SPLIT: "#f0e442",
    Category.MERGED: "#cc79a7",
}
