"""Navigation to where the network was least sure, or a critic sees errors."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ssp.service import JobState
from napari_ssp.service.annotation.suggestions import SuggestRequest
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.layers.images import layer_axes
from napari_ssp.widgets.layers.shown_segmentations import find_segmentation

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Labels

    from napari_ssp.service import Review, Segmentation
    from napari_ssp.service.annotation.suggestions import Region
    from napari_ssp.widgets.docks.relay import Outcome

#: Share of the canvas that a region fills.
_FILLED = 0.7


@dataclass(frozen=True, eq=False)
class Ground:
    """What suggestions go by.

    Attributes
    ----------
    find : callable
        What was found out about a labels layer; None without it.
    lacking : str
        What to say where that is missing.
    order, measure : str
        How the regions are ranked, and what their number is.
    """

    find: Callable[[Labels], Segmentation | Review | None]
    lacking: str
    order: str
    measure: str


SEGMENTED = Ground(
    find_segmentation,
    "Segment the image first, and keep the Segment dock open: a suggestion is where the network "
    "was least sure.",
    "the least sure first",
    "doubt",
)


class _Tour:
    """Regions of one result, those to look at first in front, and how many were visited."""

    def __init__(self, found: Segmentation | Review, regions: tuple[Region, ...]) -> None:
        self.found = weakref.ref(found)
        self.regions = regions
        self.visited = 0


class Suggestions(QObject):
    """Moves the camera to the next region of a labels layer that is worth a look.

    Signals: ``shown(sentence)`` after a move, ``refused(sentence)`` where there is none.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose camera moves.
    parent : QObject
        When it is deleted, the work is cancelled.
    ground : Ground
        What the suggestions go by.
    """

    shown = Signal(str)
    refused = Signal(str)

    def __init__(self, viewer: napari.Viewer, parent: QObject, ground: Ground = SEGMENTED) -> None:
        super().__init__(parent)
        self._viewer, self._ground = viewer, ground
        self._tours: weakref.WeakKeyDictionary[Labels, _Tour] = weakref.WeakKeyDictionary()
        self._wanted: tuple[weakref.ref[Labels], weakref.ref[Any]] | None = None
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._on_end)

    def show_next(self, labels: Labels | None) -> None:
        """Go to the next region; those that were visited come again after all others."""
        found = self._ground.find(labels) if labels is not None else None
        if labels is None or found is None:
            self.refused.emit(self._ground.lacking)
            return
        tour = self._tours.get(labels)
        if tour is None or tour.found() is not found:
            self._wanted = weakref.ref(labels), weakref.ref(found)
            self._runner.start(SuggestRequest(found))
        else:
            self._visit(labels, found, tour)

    def close(self) -> None:
        """Stop looking."""
        self._runner.cancel()

    def _on_end(self, outcome: Outcome) -> None:
        if outcome.state is not JobState.DONE:
            self.refused.emit(error_line(outcome.error))
            return
        assert self._wanted is not None
        labels, found = (each() for each in self._wanted)
        if labels is not None and found is not None and labels in self._viewer.layers:
            self._tours[labels] = _Tour(found, outcome.value)
            self._visit(labels, found, self._tours[labels])

    def _visit(self, labels: Labels, found: Segmentation | Review, tour: _Tour) -> None:
        region = tour.regions[tour.visited % len(tour.regions)]
        tour.visited += 1
        look_at(self._viewer, labels, found.axes, region)
        self._viewer.layers.selection.active = labels  # its brushes are what is needed now
        number = (tour.visited - 1) % len(tour.regions) + 1
        again = ", seen before" if tour.visited > len(tour.regions) else ""
        self.shown.emit(
            f"Region {number} of {len(tour.regions)}, {self._ground.order}{again}: "
            f"{self._ground.measure} {region.doubt:.2f} of 1."
        )


def look_at(viewer: napari.Viewer, labels: Labels, axes: str, region: Region) -> None:
    """Move sliders and camera so that a region fills the canvas.

    Parameters
    ----------
    viewer : napari.Viewer
        What to move; goes to 2D display.
    labels : napari.layers.Labels
        Layer of the segmentation that the region belongs to.
    axes : str
        Axes of the result.
    region : Region
        Where to look.
    """
    y0, y1, x0, x1 = region.box
    place = dict(zip(axes, (*region.plane, (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2), strict=True))
    letters = layer_axes(labels)
    world = labels.data_to_world([place.get(letter, 0) for letter in letters])
    viewer.dims.ndisplay = 2
    offset = viewer.dims.ndim - labels.ndim
    for axis, letter in enumerate(letters):
        if letter not in "yx":
            viewer.dims.set_point(axis + offset, world[axis])
    y, x = letters.index("y"), letters.index("x")
    camera: Any = getattr(viewer, "scene", viewer).camera  # napari before 0.9 has no scene
    camera.center = (0.0, float(world[y]), float(world[x]))
    size = (abs(labels.scale[y]) * (y1 - y0), abs(labels.scale[x]) * (x1 - x0))
    height, width = viewer.canvas.size
    camera.zoom = _FILLED * min(height / size[0], width / size[1])
