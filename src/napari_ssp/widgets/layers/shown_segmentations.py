"""Network outputs of the labels on display, as long as a dock keeps them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_ssp.service import Segmentation

# Weak on both sides: the flows of a large image must not live longer than their use.
_SHOWN: weakref.WeakKeyDictionary[Layer, weakref.ref[Segmentation]] = weakref.WeakKeyDictionary()


def remember_segmentation(layer: Layer, found: Segmentation) -> None:
    """Note which segmentation a layer shows."""
    _SHOWN[layer] = weakref.ref(found)


def find_segmentation(layer: Layer) -> Segmentation | None:
    """Segmentation that a layer shows; None when no dock keeps it any more."""
    known = _SHOWN.get(layer)
    return known() if known else None
