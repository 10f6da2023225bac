"""The Segment dock: the form, connected to a viewer and to the model service."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.io.layer_attributes import FILE_KEY, has_fields
from napari_ssp.io.ngff.lazy import find_source
from napari_ssp.registry import OBJECTS, STUDENT, find_critic
from napari_ssp.schema import describe_fields
from napari_ssp.service import DiameterRequest, SegmentZarrRequest, find_members
from napari_ssp.service.blocks.partial import PartialLabels
from napari_ssp.service.blocks.requests import BlocksResult
from napari_ssp.service.preparing import SEGMENTATION
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.layer_job import LayerJob, LayerTask
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.layers.drawn_size import drawn_diameter
from napari_ssp.widgets.layers.images import (
    channel_choices,
    current_plane,
    layer_image,
    layer_scene,
    visible_region,
)
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.critic_beside import CriticBeside
from napari_ssp.widgets.segment.form import SegmentForm
from napari_ssp.widgets.segment.partial_view import PartialView
from napari_ssp.widgets.segment.refining import Refining
from napari_ssp.widgets.segment.result_file import ResultFile
from napari_ssp.widgets.segment.results import prepare
from napari_ssp.widgets.segment.sentences import result_line, size_line, written_line
from napari_ssp.widgets.segment.stored_result import (
    StoredResult,
    find_stored,
    open_result,
    propose_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Image

    from napari_ssp.progress import Progress
    from napari_ssp.service import (
        ModelService,
        Segmentation,
        SegmentRequest,
        Thresholds,
    )
    from napari_ssp.widgets.segment.results import Prepared

_FIELDS = (
    "'{name}' holds positions, images that have nothing to do with each other, so their objects "
    "are not linked. Choose 'Each plane by itself' under Objects."
)
_KEPT = (
    "Cancelled. The blocks that are done are kept: Run with the same settings goes on with them."
)


class SegmentDock(JobDock):
    """Segments cells in a viewer's image layers.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where images come from and labels go.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(RunPanel("Segment the image"))
        self._viewer = own_viewer(napari_viewer)
        self.form = SegmentForm()
        self.result_file = ResultFile()
        self.form.insert_before_advanced(self.result_file)
        self.partial = PartialView(self._viewer)
        self._is_written = False  # by the last run, as it is made
        self._chosen = SegmentChoices()  # of the last run
        task = LayerTask(
            makes=OBJECTS,
            noun="segmentation",
            image="an image",
            things="cells",
            image_help="Image layer to segment; follows the selected layer",
            fit_to_model=self._fit_to_model,
            request=self._request,
            prepare=self._preparation,
            conclude=self._conclude,
            ahead=SEGMENTATION,
        )
        self.layers = LayerJob(self._viewer, self.form, task, self, service)
        self.image_box = self.layers.image_box
        self.result_file.changed.connect(self.controller.schedule)
        self.controller.progressed.connect(self._show_partial)
        self.refining = Refining(self._viewer, self.layers.results, self)
        self.refining.committed.connect(self._start_from)
        self.critic = CriticBeside(self._viewer, self)
        self.refining.settled.connect(self._take_map)
        self.left.connect(self.refining.clear)
        self.controller.started.connect(self.refining.pause)
        self.controller.stopped.connect(self.refining.go_on)
        self.controller.ended.connect(self.refining.go_on)
        self.add(self.refining.panel)
        self.form.size_box.estimate_clicked.connect(self.estimate_size)
        self.form.size_box.shape_clicked.connect(self.measure_shape)
        self.watch(self._viewer, self._update_layers, self.layers.follow_selection)

    def refresh_models(self) -> None:
        """Look again which models are installed."""
        self.layers.refresh_models()

    def choose_model(self, name: str) -> None:
        """Choose a model, also one that was installed a moment ago."""
        self.layers.choose_model(name)

    def repeat(self, request: SegmentRequest, source: Image) -> None:
        """Run a request of an earlier result, made of a layer; the form shows its settings."""
        self.layers.repeat(request, source)
        self._is_written = False

    def estimate_size(self) -> None:
        """Propose a diameter, as the Estimate button does; Cancel stops it."""
        request: Any = None if self.controller.is_running else self.update_plan()
        if isinstance(request, SegmentZarrRequest):
            request = request.segment
        if request is not None:
            self.layers.look(DiameterRequest(request), self._show_size, noun="size estimate")

    def cancel(self) -> None:
        """Stop the run, as the Cancel button does; of one that is written, blocks are kept."""
        was_written = self._is_written and self.controller.is_running
        was_review = self.critic.is_at_work
        super().cancel()
        if was_review:
            self.critic.say_cancelled()
        elif was_written:
            self.panel.set_message(_KEPT)

    def show_error(self, error: BaseException | None) -> None:
        """Say why a run failed; a review that fails leaves the labels."""
        if self.critic.is_at_work:
            self.critic.say_failed(error)
        else:
            super().show_error(error)

    def measure_shape(self) -> None:
        """Take the diameter of what is drawn, as the From shape button does."""
        layer = self.image_box.value()
        try:
            if layer is not None:
                self.form.size_box.set_value(drawn_diameter(self._viewer, layer))
                self.panel.set_message("")
        except ValueError as error:
            self.panel.set_message(error_line(error), "warning")

    def _fit_to_model(self, model: str) -> None:
        card, _ = find_members(model)
        self.form.size_box.set_model(card.object_diameter, card.zoom)
        critic = find_critic(card.name)
        self.form.set_critic(model, None if critic is None else critic.name, card.family == STUDENT)

    def _request(self, layer: Image) -> SegmentRequest | SegmentZarrRequest:
        image = layer_image(layer)
        self.form.set_in_zarr(find_source(image.data) is not None)
        self.form.set_channels(channel_choices(image))
        self.form.set_planes(image.num_planes)
        self.form.size_box.set_pixel_size(image.voxel_size[1] if image.voxel_size else None)
        choices = self.form.value()
        if choices.all_planes and choices.stacks == "linked" and has_fields(layer.axis_labels):
            raise ValueError(_FIELDS.format(name=layer.name))
        one_plane = image.num_planes > 1 and not choices.all_planes
        request: SegmentRequest = choices.request(
            image,
            plane=current_plane(layer, self._viewer) if one_plane else None,
            region=visible_region(layer, self._viewer) if choices.visible_only else None,
            scene=layer_scene(layer),
        )
        stored = find_stored(request, image)
        self.result_file.offer(None if stored is None else propose_file(stored))
        target = self.result_file.value()
        self.form.set_written(target is not None)
        if stored is None or target is None:
            return request
        return SegmentZarrRequest(stored, *target)

    def _preparation(self) -> Callable[[Any], Prepared | StoredResult]:
        self._is_written = self.result_file.value() is not None
        if self._is_written:
            self.partial.prepare()
        self._chosen = self.form.value()
        return partial(_make_ready, choices=self._chosen)

    def _show_size(self, diameter: float) -> None:
        self.form.size_box.set_value(diameter)
        self.panel.set_message(size_line(diameter))

    def _show_partial(self, progress: Progress, _: str) -> None:
        source = self.layers.source
        if source is not None and isinstance(progress.preview, PartialLabels):
            self.partial.show(progress.preview, source)

    def _conclude(self, value: Prepared | StoredResult, layer: Image) -> str:
        labels: Any = self.layers.results.layer(layer, "labels")
        if isinstance(value, StoredResult):
            self.partial.clear()
            self.refining.set_stored(layer)
            if labels is not None and labels.multiscale:  # no result in memory takes its place
                labels.metadata[FILE_KEY] = str(value.result.path)
            return written_line(value)
        self.refining.set_result(value, layer)
        line = result_line(value)
        self.critic.remember(line)
        if self._chosen.error_map and value.num_objects:
            about_map = self.critic.review(value, self._chosen, labels, layer)
        else:
            about_map = self.critic.take_away(labels)
        return f"{line} {about_map}".strip()

    def _take_map(self) -> None:
        """Leave no error map on labels that the sliders have changed."""
        source = self.layers.source
        labels: Any = None if source is None else self.layers.results.layer(source, "labels")
        about_map = self.critic.take_away(labels)
        if about_map:
            self.refining.panel.add_message(about_map)

    def _update_layers(self) -> None:
        self.layers.update_layers()
        self.refining.follow_layers()
        if self.critic.has_lost_labels():
            self.cancel()

    def _start_from(self, chosen: Thresholds, name: str) -> None:
        """Begin the next run with thresholds that a person found to be good."""
        known = describe_fields(SegmentChoices)
        same = {name: value for name, value in asdict(chosen).items() if name in known}
        if chosen.hole_size == chosen.min_size:  # as a run fills them by itself
            same["hole_size"] = None
        self.form.take_thresholds(name, **same)


def _make_ready(
    result: Segmentation | BlocksResult, choices: SegmentChoices
) -> Prepared | StoredResult:
    """Make the layers' arrays of what a run has found, in memory or in a file."""
    if isinstance(result, BlocksResult):
        return open_result(result, choices.channel or 0)
    return prepare(result, choices)
