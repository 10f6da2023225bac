"""Connection of the sliders of the Segment dock with the labels that they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_ssp.service import Refinement
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.layers.images import display_in_result
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.segment.live_refinement import LiveRefinement
from napari_ssp.widgets.segment.refine_panel import RefinePanel
from napari_ssp.widgets.segment.results import refined
from napari_ssp.widgets.segment.sentences import committed_line, count_line, edits_line

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Layer

    from napari_ssp.service import Display, Patch, Segmentation
    from napari_ssp.widgets.layers.result_layers import ResultLayers
    from napari_ssp.widgets.segment.results import Prepared

_PART = "labels"
_STORED = (
    "These labels were written as they were made, and what the network said was not kept. Run "
    "again with other thresholds, or try thresholds with 'Visible region only' first."
)


class Refining(QObject):
    """Shows what the sliders of its panel ask for, in the layers of a dock's last result.

    A layer that somebody drew in, or that was committed, is left alone: the next change makes a
    new one.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the result is.
    results : ResultLayers
        Layers of the dock.
    parent : QObject
        The dock.

    Attributes
    ----------
    settled : Signal
        The labels on display are those of the sliders.
    committed : Signal(Thresholds, str)
        A user has kept labels, of the layer with this name.
    """

    settled = Signal()
    committed = Signal(object, str)

    def __init__(self, viewer: napari.Viewer, results: ResultLayers, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._results = results
        self._source: LayerState | None = None
        self._prepared: Prepared | None = None
        self.panel = RefinePanel()
        self._live = LiveRefinement(self)
        self._live.patched.connect(self._show_patch)
        self._live.refined.connect(self._show)
        self._live.failed.connect(self._show_error)
        self.panel.changed.connect(self._ask)
        self.panel.commit_clicked.connect(self.commit)
        self.panel.fold.toggled.connect(self._warm_up)

    def set_result(self, prepared: Prepared, source: Image) -> None:
        """Offer the thresholds of a result that is on display."""
        self.clear()
        layer = self._results.layer(source, _PART)
        name = layer.name if layer is not None else source.name
        try:
            refinement = Refinement(prepared.segmentation)
        except ValueError as error:
            self.panel.set_obstacle(name, error_line(error))
            return
        self._source, self._prepared = LayerState(source), prepared
        self._live.set_result(refinement)
        self.panel.set_result(name, refinement.thresholds)
        self._warm_up(self.panel.fold.isChecked())

    def set_stored(self, source: Image) -> None:
        """Say that labels that were written as they were made have nothing to refine."""
        self.clear()
        layer = self._results.layer(source, _PART)
        self.panel.set_obstacle(layer.name if layer is not None else source.name, _STORED)

    def clear(self) -> None:
        """Forget the result and what was worked out of it."""
        self._live.set_result(None)
        self._source = self._prepared = None
        self.panel.clear()

    def pause(self) -> None:
        """Wait while the dock runs a network: its result may replace what would be refined."""
        self.panel.set_waiting(True)

    def go_on(self) -> None:
        """Offer the sliders again."""
        self.panel.set_waiting(False)

    def follow_layers(self) -> None:
        """Forget the result when its image has gone, or is another one by now."""
        if self._prepared is not None and self._image() is None:
            self.clear()

    def commit(self) -> None:
        """Keep the labels on display, as the Commit button does."""
        source = None if self._source is None else self._source.layer
        layer = None if source is None else self._results.keep(source, _PART)
        if layer is None:
            self.panel.set_message("These labels are kept already: no run will change them.")
            return
        chosen = self.panel.value()
        self.panel.set_message(committed_line(layer.name, chosen))
        self.committed.emit(chosen, layer.name)

    def _image(self) -> Image | None:
        state = self._source
        if state is None or not state.is_same or state.layer not in self._viewer.layers:
            return None
        found: Image = state.layer
        return found

    def _give_up(self) -> None:
        """Leave the labels alone, for they are of another image than the layer shows."""
        state = self._source
        reason = lost_reason((state,), self._viewer, "refinement") if state is not None else None
        self.clear()
        if state is not None and reason is not None:
            self.panel.set_obstacle(state.name, reason)

    def _warm_up(self, opened: bool) -> None:
        if opened and self._live.is_settled:
            self._live.warm_up()

    def _ask(self) -> None:
        source = self._image()
        if source is None:
            self._give_up()
            return
        self.panel.set_settled(False)
        edits = self._results.recorded_edits(source, _PART)
        self._live.ask(self.panel.value(), self._display(source), edits)

    def _display(self, source: Image) -> Display | None:
        assert self._prepared is not None
        found = self._prepared.segmentation
        return display_in_result(source, self._viewer, found.axes, found.labels.shape, found.origin)

    def _show_patch(self, patch: Patch) -> None:
        source = self._image()
        if source is not None and self._results.patch(source, _PART, patch.place, patch.labels):
            self.panel.set_message("The visible part is up to date; updating the rest …")

    def _show(self, found: Segmentation) -> None:
        source = self._image()
        if source is None or self._prepared is None:
            return
        recorded = tuple(each for each, _ in found.edits)
        if recorded != self._results.recorded_edits(source, _PART):
            self._ask()  # edited or undone meanwhile
            return
        before = self._results.layer(source, _PART)
        try:
            self._results.show(refined(self._prepared, found), source)
        except Exception as error:  # the image's axes may have been changed meanwhile
            self._show_error(error)
            return
        layer = self._results.layer(source, _PART)
        line = count_line(found.num_objects)
        if layer is not None and before is None:
            line = f"{line}, in the new layer '{layer.name}'. The labels before were left alone."
        self._settle(f"{line.removesuffix('.')}.{edits_line(found.edits)}", layer)

    def _settle(self, line: str, layer: Layer | None) -> None:
        self.panel.set_message(line)
        if layer is not None:
            self.panel.set_name(layer.name)
        self.panel.set_settled(self._live.is_settled)
        if self._live.is_settled:
            self.settled.emit()

    def _show_error(self, error: BaseException) -> None:
        self.panel.set_message(error_line(error))
