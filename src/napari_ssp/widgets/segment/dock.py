"""The Segment dock: the form, connected to a viewer and to the model service."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import OBJECTS
from napari_ssp.schema import describe_fields
from napari_ssp.service import DiameterRequest, find_members, plan_segmentation
from napari_ssp.widgets.docks.layer_dock import LayerDock, Words, channel_choices
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.layers.drawn_size import drawn_diameter
from napari_ssp.widgets.layers.images import current_plane, layer_image, visible_region
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.form import SegmentForm
from napari_ssp.widgets.segment.refining import Refining
from napari_ssp.widgets.segment.results import prepare
from napari_ssp.widgets.segment.sentences import result_line, size_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Image

    from napari_ssp.service import (
        ModelService,
        Segmentation,
        SegmentPlan,
        SegmentRequest,
        Thresholds,
    )
    from napari_ssp.widgets.segment.results import Prepared


class SegmentDock(LayerDock):
    """Segments cells in a viewer's image layers.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where images come from and labels go.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    words = Words(
        makes=OBJECTS,
        noun="segmentation",
        image_help="Image layer to segment; follows the selected layer",
        run_help="Segment the image",
        no_image="Open an image first: drop a file on the viewer, or File > Open Sample > "
        "napari-ssp.",
        no_model="No model for cells is installed. Run 'napari-ssp models list' to see where they "
        "are looked for.",
    )
    form: SegmentForm

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(napari_viewer, SegmentForm(), service)

    def _fill(self) -> None:
        self.refining = Refining(self._viewer, self._results, self)
        self.refining.committed.connect(self._start_from)
        self.column.add(self.refining.panel)
        self.form.size_box.estimate_clicked.connect(self.estimate_size)
        self.form.size_box.shape_clicked.connect(self.measure_shape)

    def estimate_size(self) -> None:
        """Propose a diameter, as the Estimate button does; Cancel stops it."""
        request = None if self._runner.is_running else self.update_plan()
        if request is not None:
            self._note_start()
            self._launch(DiameterRequest(request), float)

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

    def _request(self, layer: Image) -> SegmentRequest:
        image = layer_image(layer)
        self.form.set_channels(channel_choices(image))
        self.form.set_planes(image.num_planes)
        self.form.size_box.set_pixel_size(image.voxel_size[1] if image.voxel_size else None)
        choices = self.form.value()
        one_plane = image.num_planes > 1 and not choices.all_planes
        request: SegmentRequest = choices.request(
            image,
            plane=current_plane(layer, self._viewer) if one_plane else None,
            region=visible_region(layer, self._viewer) if choices.visible_only else None,
        )
        return request

    def _plan(self, request: SegmentRequest) -> SegmentPlan:
        return plan_segmentation(request)

    def _preparation(self) -> Callable[[Segmentation], Prepared]:
        return partial(prepare, choices=self.form.value())

    def _show_result(self, value: Any) -> None:
        if not isinstance(value, float):
            super()._show_result(value)
            return
        self.form.size_box.set_value(value)
        self.panel.set_message(size_line(value))

    def _result_line(self, value: Any, layer: Image) -> str:
        return result_line(value)

    def _after_result(self, value: Any, layer: Image) -> None:
        self.refining.set_result(value, layer)

    def _update_layers(self) -> None:
        super()._update_layers()
        self.refining.follow_layers()

    def _leave(self) -> None:
        super()._leave()
        self.refining.clear()

    def _start_from(self, chosen: Thresholds) -> None:
        """Begin the next run with thresholds that the user found to be good."""
        known = describe_fields(SegmentChoices)
        same = {name: value for name, value in asdict(chosen).items() if name in known}
        self.form.set_value(replace(self.form.value(), **same))
