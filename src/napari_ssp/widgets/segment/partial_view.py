"""The layer of a result that is being made: objects of the blocks that are done."""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Any

from napari_ssp.io.layer_attributes import METADATA_KEY, UNFINISHED_KEY
from napari_ssp.io.lazy import as_dask
from napari_ssp.progress import Ahead
from napari_ssp.widgets.layers.images import layer_axes
from napari_ssp.widgets.layers.placement import Placed, kept_axes, placement
from napari_ssp.widgets.segment.results import load_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari
    from napari.layers import Image, Labels

    from napari_ssp.service.blocks.partial import PartialLabels

#: Seconds between two looks at what was added.
_PAUSE = 1.0


def _load() -> Iterator[None]:
    load_tables()
    yield


_TABLES = Ahead(_load)


class PartialView:
    """Shows partial labels at their image's place, in a layer that no dock takes for a result.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._labels: PartialLabels | None = None
        self._layer: weakref.ref[Labels] | None = None
        self._count = 0
        self._looked = 0.0

    def prepare(self) -> None:
        """Load what a layer will need, on a thread; there is one when the first block is done."""
        _TABLES.begin()

    @property
    def layer(self) -> Any:
        """The layer; None where there is none, or none any more."""
        found = self._layer() if self._layer is not None else None
        return found if found in self._viewer.layers else None

    def show(self, labels: PartialLabels, source: Image) -> None:
        """Bring the layer up to date, now and then, and as long as somebody sees it."""
        if labels.count == 0 or (labels is self._labels and labels.count == self._count):
            return
        now = time.monotonic()
        if labels is not self._labels:
            self.clear()
            self._labels = labels
            self._add(labels, source)
        elif now < self._looked + _PAUSE:
            return
        elif (layer := self.layer) is not None and layer.visible:
            layer.data = _arrays(labels, source)
        self._count, self._looked = labels.count, now

    def clear(self) -> None:
        """Take the layer away."""
        if (layer := self.layer) is not None:
            self._viewer.layers.remove(layer)
        self._labels = self._layer = None

    def _add(self, labels: PartialLabels, source: Image) -> None:
        selected = set(self._viewer.layers.selection)
        layer = self._viewer.add_labels(
            _arrays(labels, source),
            name=f"{source.name} labels, unfinished",
            metadata={METADATA_KEY: {}, UNFINISHED_KEY: True},
            **placement(Placed(labels.axes, labels.origin, labels.channel, {}), source),
        )
        layer.editable = False
        self._viewer.layers.selection = selected
        self._layer = weakref.ref(layer)


def _arrays(labels: PartialLabels, source: Image) -> Any:
    """Make arrays of what is there now; what napari has read of those before, it keeps."""
    levels = [as_dask(level) for level in labels.levels(kept_axes(layer_axes(source)))]
    return levels if len(levels) > 1 else levels[0]
