"""The Segment dock: the form, connected to a viewer and to the model service."""

from __future__ import annotations

import logging
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ssp.registry import list_cards
from napari_ssp.service import JobState, SegmentRequest, plan_segmentation
from napari_ssp.widgets.fields import ChoiceBox
from napari_ssp.widgets.layers import current_plane, layer_image, region_obstacle, visible_region
from napari_ssp.widgets.messages import error_line, is_expected, result_line
from napari_ssp.widgets.result_layers import METADATA_KEY, ResultLayers
from napari_ssp.widgets.results import prepare
from napari_ssp.widgets.run_panel import RunPanel
from napari_ssp.widgets.runner import Runner
from napari_ssp.widgets.segment_form import SegmentForm
from napari_ssp.widgets.time_left import TimeLeft
from napari_ssp.widgets.viewer_watch import ViewerWatch

if TYPE_CHECKING:
    import napari

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.progress import Progress
    from napari_ssp.service import ModelService
    from napari_ssp.widgets.relay import Outcome

_LOG = logging.getLogger(__name__)
_NO_IMAGE = "Open an image first: drop a file on the viewer, or File > Open Sample > napari-ssp."
_NO_MODEL = "No model is installed. Run 'napari-ssp models list' to see where they are looked for."
_GONE = "The image layer was removed, so its segmentation was stopped."
_REFUSALS = (ValueError, TypeError, OSError)
# Panning and typing come in bursts; the plan follows when they pause.
_PAUSE_MS = 100


class SegmentDock(QWidget):
    """Segments cells in a viewer's image layers.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where images come from and labels go.
    service : ModelService, optional
        Who does the work; docks share one otherwise.

    Attributes
    ----------
    planned : Signal
        The plan, or the obstacle, on display is up to date.
    done : Signal(Outcome)
        A run has ended and its layers are in the viewer; not emitted after Cancel.
    """

    planned = Signal()
    done = Signal(object)

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._results = ResultLayers(napari_viewer)
        self._source: weakref.ref[Image] | None = None
        self._time_left = TimeLeft()
        self.image_box = ChoiceBox("Image layer to segment; follows the selected layer")
        self.form = SegmentForm()
        self.panel = RunPanel()
        self._runner = Runner(service, self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._lay_out()
        self._connect()
        self.refresh_models()
        self._update_layers()
        self._follow_selection()
        self.update_plan()

    def refresh_models(self) -> None:
        """Look again which models are installed."""
        self.form.set_models([(card.name, card.description) for card in list_cards()])

    def run(self) -> None:
        """Segment what is chosen, as the Run button does."""
        choices = self.form.value()
        request = self.update_plan()
        if request is None:
            return
        self._source = weakref.ref(self.image_box.value())
        self._time_left = TimeLeft()
        self.panel.set_running(True)
        self.panel.set_message("starting …")
        self._runner.start(request, partial(prepare, choices=choices))

    def cancel(self) -> None:
        """Stop the run, as the Cancel button does; nothing is added to the viewer."""
        self._stop("Cancelled.")

    def update_plan(self) -> SegmentRequest | None:
        """Show what Run will do, or why it cannot; pixels are not read.

        Returns
        -------
        SegmentRequest or None
            What Run will submit.
        """
        self._timer.stop()
        layer = self.image_box.value()
        self.form.set_region_available(_obstacle(layer, self._viewer))
        request = None
        try:
            request = self._request(layer)
            self.panel.set_plan(plan_segmentation(request).summary)
        except _REFUSALS as error:
            request = None
            self.panel.set_obstacle(error_line(error))
        self.planned.emit()
        return request

    def event(self, event: Any) -> bool:
        """Stop the run when the dock is taken out of the window for good."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._stop("")
        return bool(super().event(event))

    def _request(self, layer: Image | None) -> SegmentRequest:
        if layer is None:
            raise ValueError(_NO_IMAGE)
        image = layer_image(layer)
        self.form.set_channels(_channels(image))
        self.form.set_planes(image.num_planes)
        choices = self.form.value()
        if not choices.model:
            raise ValueError(_NO_MODEL)
        one_plane = image.num_planes > 1 and not choices.all_planes
        return choices.request(
            image,
            plane=current_plane(layer, self._viewer) if one_plane else None,
            region=visible_region(layer, self._viewer) if choices.visible_only else None,
        )

    def _on_progress(self, progress: Progress) -> None:
        self.panel.set_progress(progress, self._time_left.describe(progress))

    def _on_end(self, outcome: Outcome) -> None:
        self.panel.set_running(False)
        if outcome.state is JobState.DONE:
            self._show_result(outcome)
        elif outcome.state is JobState.CANCELLED:
            self.panel.set_message("Cancelled.")
        else:
            self._show_error(outcome.error)
        self.done.emit(outcome)

    def _show_result(self, outcome: Outcome) -> None:
        layer = self._source() if self._source else None
        if layer is None or layer not in self._viewer.layers:
            self.panel.set_message(_GONE, "warning")
            return
        try:
            self._results.show(outcome.value, layer)
        except Exception as error:  # the image's axes may have been changed meanwhile
            self._show_error(error)
            return
        self.panel.set_message(result_line(outcome.value))

    def _show_error(self, error: BaseException | None) -> None:
        line = error_line(error)
        level = logging.DEBUG if is_expected(error) else logging.ERROR
        _LOG.log(level, "Segmentation failed: %s", line, exc_info=error)
        self.panel.set_message(line, "error")
        show_error(f"Segmentation failed: {line}")

    def _stop(self, reason: str, kind: str = "info") -> None:
        if self._runner.is_running:
            self._runner.cancel()
            self.panel.set_running(False)
            self.panel.set_message(reason, kind)

    def _update_layers(self) -> None:
        layers = [layer for layer in self._viewer.layers if _is_segmentable(layer)]
        self.image_box.set_choices([(layer.name, layer) for layer in layers])
        source = self._source() if self._source else None
        if self._runner.is_running and source not in self._viewer.layers:
            self._stop(_GONE, "warning")
        self._schedule()

    def _follow_selection(self) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and active in self.image_box:
            self.image_box.set_value(active)

    def _schedule(self) -> None:
        self._timer.start()

    def _connect(self) -> None:
        self._timer.timeout.connect(self.update_plan)
        self.image_box.currentIndexChanged.connect(self._schedule)
        self.form.changed.connect(self._schedule)
        self.panel.run_clicked.connect(self.run)
        self.panel.cancel_clicked.connect(self.cancel)
        self._runner.progressed.connect(self._on_progress)
        self._runner.ended.connect(self._on_end)
        self._watch = ViewerWatch(
            self._viewer, self._update_layers, self._follow_selection, self._schedule
        )
        self.destroyed.connect(self._watch.close)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        self.form.insert_first_row("Image", self.image_box)
        layout.addWidget(self.form)
        layout.addWidget(self.panel)
        layout.addStretch(1)
        self.setMinimumWidth(340)


def _is_segmentable(layer: Any) -> bool:
    return isinstance(layer, Image) and METADATA_KEY not in layer.metadata


def _obstacle(layer: Image | None, viewer: napari.Viewer) -> str | None:
    try:
        return region_obstacle(layer, viewer)
    except ValueError as error:  # axes without names
        return error_line(error)


def _channels(image: MicroscopyImage) -> list[tuple[str, int | None]]:
    if image.rgb:
        return [("All colours", None)]
    if image.num_channels == 1:
        return []
    names = image.channel_names or [f"Channel {i + 1}" for i in range(image.num_channels)]
    return [(name, index) for index, name in enumerate(names)]
