"""The Cells and nuclei dock: cells, their nuclei and cytoplasm with the same numbers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from napari.layers import Image, Layer

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.registry import OBJECTS
from napari_ssp.service.compartments.choosing import names_dna, sees_nuclei
from napari_ssp.service.preparing import SEGMENTATION
from napari_ssp.widgets.compartments.choices import repeated
from napari_ssp.widgets.compartments.cytoplasm import follow_edits
from napari_ssp.widgets.compartments.form import CompartmentsForm
from napari_ssp.widgets.compartments.results import prepare, result_line
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.layer_job import LayerJob, LayerTask
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.layers.alignment import image_under, side_by_side
from napari_ssp.widgets.layers.images import (
    channel_choices,
    current_plane,
    layer_image,
    layer_scene,
    visible_region,
)
from napari_ssp.widgets.measure.freshness import note_measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from napari.layers import Labels

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import Compartments, CompartmentsRequest, ModelService
    from napari_ssp.widgets.compartments.results import PreparedCompartments

_NO_NUCLEI = (
    "'{name}' is a single channel, and no other image layer lies on it pixel by pixel. Open the "
    "channel with the nuclei, too."
)


class CompartmentsDock(JobDock):
    """Segments cells and nuclei of a viewer's image layers.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where images come from and labels go.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(RunPanel("Find cells, their nuclei and their cytoplasm"))
        self._viewer = own_viewer(napari_viewer)
        self.form = CompartmentsForm()
        self.nuclei_box = ChoiceBox("Layer, or channel of the image, that shows the nuclei")
        self.form.insert_first_row("Nuclei", self.nuclei_box)
        task = LayerTask(
            makes=OBJECTS,
            noun="segmentation",
            image="an image",
            things="cells",
            image_help="Image layer that shows the cells; follows the selected layer",
            fit_to_model=self._fit_to_model,
            request=self._request,
            prepare=self._preparation,
            conclude=self._conclude,
            ahead=SEGMENTATION,
            suits=_shows_cells,
            beside=self._nuclei_layers,
        )
        self.layers = LayerJob(self._viewer, self.form, task, self, service)
        self.image_box = self.layers.image_box
        self.nuclei_box.currentIndexChanged.connect(self.controller.schedule)
        self.watch(self._viewer, self.layers.update_layers, self.layers.follow_selection)

    def choose_model(self, name: str) -> None:
        """Choose a model for the cells, also one that was installed a moment ago."""
        self.layers.choose_model(name)

    def repeat(self, request: CompartmentsRequest, source: Image) -> None:
        """Run a request of an earlier result, made of a layer; the form shows its settings."""
        self.image_box.set_value(source)
        self.form.change(**repeated(request))
        self.update_plan()  # offers what lies beside the layer
        name = (request.image.channel_names or ("", ""))[-1]
        beside = (one for one in self.nuclei_box.values() if getattr(one, "name", "") == name)
        self.nuclei_box.set_value(next(beside, request.nuclei.channel))
        self.layers.repeat(request, source)

    def _fit_to_model(self, model: str) -> None:
        self.form.set_sees_nuclei(sees_nuclei(model))

    def _request(self, layer: Image) -> CompartmentsRequest:
        image = layer_image(layer)
        self.form.set_channels(channel_choices(image))
        self.form.set_planes(image.num_planes)
        choices = self.form.value()
        self.nuclei_box.set_choices(self._offers(layer, image, choices.channel or 0))
        nuclei = self.nuclei_box.value()
        if nuclei is None:
            raise ValueError(_NO_NUCLEI.format(name=layer.name))
        channels = (choices.channel or 0, nuclei)
        if isinstance(nuclei, Layer):
            image, channels = side_by_side(layer, nuclei), (0, 1)
        one_plane = image.num_planes > 1 and not choices.all_planes
        request: CompartmentsRequest = choices.request(
            image,
            channels,
            plane=current_plane(layer, self._viewer) if one_plane else None,
            region=visible_region(layer, self._viewer) if choices.visible_only else None,
            scene=layer_scene(layer),
        )
        return request

    def _offers(
        self, layer: Image, image: MicroscopyImage, channel: int
    ) -> list[tuple[str, int | Image]]:
        """Where the nuclei may be: other channels, else other layers, stains of DNA first."""
        if image.num_channels > 1:
            return [(name, c) for name, c in channel_choices(image) if c not in (None, channel)]
        others = sorted(self._beside(layer), key=_shows_cells)
        return [(other.name, other) for other in others]

    def _beside(self, layer: Image) -> Iterator[Image]:
        """Measured image layers that lie on a layer pixel by pixel."""
        for other in self._viewer.layers:
            if other is layer or not isinstance(other, Image) or METADATA_KEY in other.metadata:
                continue
            try:
                same = image_under(other, layer)
            except (ValueError, TypeError):
                continue
            if same.sizes == layer_image(layer).sizes and not same.rgb:
                yield other

    def _nuclei_layers(self) -> tuple[Layer, ...]:
        nuclei = self.nuclei_box.value()
        return (nuclei,) if isinstance(nuclei, Layer) else ()

    def _preparation(self) -> Callable[[Compartments], PreparedCompartments]:
        nuclei = self._nuclei_layers()
        layers = tuple(layer.name for layer in (self.image_box.value(), *nuclei) if nuclei)
        return partial(prepare, channel=self.form.value().channel or 0, layers=layers)

    def _conclude(self, value: PreparedCompartments, layer: Image) -> str:
        cells, nuclei, cytoplasm = (
            cast("Labels", self.layers.results.layer(layer, name)) for name in value.result.labels
        )
        follow_edits(self._viewer, cells, nuclei, cytoplasm)
        cells.features = value.features
        note_measured(cells, value.digest, [nuclei])
        return result_line(value.result)


def _shows_cells(layer: Image | None) -> bool:
    """Whether a layer is not named like a stain of DNA."""
    return layer is not None and not names_dna(layer.name)
