"""Job of the docks that make result layers of an image layer."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.registry import list_cards
from napari_ssp.service.compute.places import LOCAL, find_place
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.model_news import model_news
from napari_ssp.widgets.docks.shared_service import preferred_choices
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.layers.images import region_obstacle
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.layers.result_layers import ResultLayers

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Layer

    from napari_ssp.progress import Ahead
    from napari_ssp.service import ModelService, Request
    from napari_ssp.widgets.docks.job_dock import JobDock
    from napari_ssp.widgets.forms.model_form import ChoiceForm


_NO_IMAGE = "Open {image} first: drop a file on the viewer, or File > Open Sample > napari-ssp."
_NO_MODEL = (
    "No model for {things} is installed. Run 'napari-ssp models list' to see where they are looked "
    "for."
)


@dataclass(frozen=True, eq=False)
class LayerTask:
    """What one dock does to an image layer.

    Attributes
    ----------
    makes : str
        What the models that are offered make: objects or images.
    noun : str
        What is done to an image: "segmentation".
    image, things : str
        What it is done to, "an image", and what the models are for, "cells".
    image_help : str
        Tooltip of the list of layers.
    fit_to_model : callable
        Fits the form to the chosen model.
    request : callable
        Fits the form to a layer and makes the request.
    prepare : callable
        Returns what makes, on the worker, a ``Placed`` of a result.
    conclude : callable
        Sentence about what was found in a layer and is on display now.
    ahead : Ahead
        What a run waits for; begun when there is a layer to work on.
    suits : callable
        Whether a layer may be chosen just because it was selected.
    beside : callable
        Further layers that are read.
    """

    makes: str
    noun: str
    image: str
    things: str
    image_help: str
    fit_to_model: Callable[[str], None]
    request: Callable[[Image], Request[Any]]
    prepare: Callable[[], Callable[[Any], Any]]
    conclude: Callable[[Any, Image], str]
    ahead: Ahead
    suits: Callable[[Image], bool] = lambda layer: True
    beside: Callable[[], tuple[Layer, ...]] = lambda: ()


class LayerJob(QObject):
    """Runs what a form says on a viewer's image layers, and shows results as layers.

    Parameters
    ----------
    viewer : napari.Viewer
        Where images come from and results go.
    form : ChoiceForm
        What a person chooses; gets a first row with the image.
    task : LayerTask
        What is done to the image.
    dock : JobDock
        Driven by the job's controller; gets the form and the run panel.
    service : ModelService or None
        Who does the work; None takes the service that docks share.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        form: ChoiceForm,
        task: LayerTask,
        dock: JobDock,
        service: ModelService | None,
    ) -> None:
        super().__init__(dock)
        self._viewer, self._form, self._task, self._panel = viewer, form, task, dock.panel
        self._source: LayerState | None = None
        self._beside: tuple[LayerState, ...] = ()
        self.results = ResultLayers(viewer)
        self.image_box = ChoiceBox(task.image_help)
        form.insert_first_row("Image", self.image_box)
        spec = JobSpec(task.noun, self._propose, self._show, self._prepare, about=self._about)
        self._controller = JobController(spec, service, self)
        self.image_box.currentIndexChanged.connect(self._forget)
        form.changed.connect(self._controller.schedule)
        model_news().changed.connect(self.refresh_models)
        self.refresh_models()
        form.begin_with(preferred_choices(task.makes))
        dock.drive(self._controller, viewer)
        dock.add(form, dock.panel)

    @property
    def source(self) -> Image | None:
        """Layer of the last run, where it is still there."""
        layer = self._source.layer if self._source else None
        return layer if layer in self._viewer.layers else None

    def refresh_models(self) -> None:
        """Look again which models are installed."""
        cards = [card for card in list_cards() if card.makes == self._task.makes]
        self._form.set_models([(card.name, card.description) for card in cards])

    def choose_model(self, name: str) -> None:
        """Choose a model, also one that was installed a moment ago."""
        self.refresh_models()
        self._form.change(model=name)

    def repeat(self, request: Any, source: Image) -> None:
        """Run a request of an earlier result; the form shows its settings.

        Raises
        ------
        RuntimeError
            When the dock is at work.
        """
        if self._controller.is_running:
            raise RuntimeError("The dock is at work. Wait for its end, or press Cancel.")
        self.image_box.set_value(source)
        self._form.change(**_settings(request, self._form))
        self._controller.start(request, self._show, self._prepare())

    def start(self, request: Request[Any], prepare: Callable[[Any], Any]) -> None:
        """Run another request about the chosen layer, whose result is layers, too."""
        self._source = LayerState(self.image_box.value())
        self._controller.start(request, self._show, prepare)

    def look(self, request: Request[Any], show: Callable[[Any], None], noun: str) -> None:
        """Run another request about the chosen layer, whose result is no layer."""
        self._source = LayerState(self.image_box.value())
        self._controller.start(request, partial(self._show_if_same, show), noun=noun)

    def update_layers(self) -> None:
        """Offer the viewer's layers; a run whose layer has gone is stopped."""
        layers = [layer for layer in self._viewer.layers if _is_source(layer)]
        self.image_box.set_choices([(layer.name, layer) for layer in layers])
        if self.source is None and self._controller.cancel():
            self._say_gone()
        self._controller.schedule()

    def follow_selection(self) -> None:
        """Choose the layer that was selected."""
        active, chosen = self._viewer.layers.selection.active, self.image_box.value()
        if active is None or active not in self.image_box:
            return
        if self._task.suits(active) or not self._task.suits(chosen):
            self.image_box.set_value(active)

    def _propose(self) -> Proposal:
        layer = self.image_box.value()
        self._form.set_region_available(_obstacle(layer, self._viewer))
        model = self._form.chosen_model()
        if not model:
            raise ValueError(_NO_MODEL.format(things=self._task.things))
        self._task.fit_to_model(model)
        if layer is None:
            raise ValueError(_NO_IMAGE.format(image=self._task.image))
        request = self._task.request(layer)
        place = self._form.chosen_compute()
        self._controller.compute_at(place)
        if find_place(place).kind == LOCAL:
            self._task.ahead.begin()
        return Proposal(request, needs_plan=True)

    def _prepare(self) -> Callable[[Any], Any]:
        self._source = LayerState(self.image_box.value())
        self._beside = tuple(map(LayerState, self._task.beside()))
        return self._task.prepare()

    def _show(self, value: Any) -> None:
        self._show_if_same(self._show_layers, value)

    def _show_if_same(self, show: Callable[[Any], None], value: Any) -> None:
        """Show what was found, unless the layer is no more what was looked at."""
        states = () if self._source is None else (self._source, *self._beside)
        lost = lost_reason(states, self._viewer, self._task.noun)
        if lost is not None:
            self._panel.set_message(lost, "warning")
            return
        show(value)

    def _show_layers(self, value: Any) -> None:
        layer = self.source
        assert layer is not None
        self.results.show(value, layer)
        line = self._task.conclude(value, layer)
        self._panel.set_message(self._about() + line)

    def _about(self) -> str:
        """Name of the layer that is worked on, where another one is chosen."""
        layer = self.source
        is_other = layer is not None and layer is not self.image_box.value()
        return f"'{layer.name}': " if layer is not None and is_other else ""

    def _forget(self) -> None:
        """Take away what was said about another image."""
        if not self._controller.is_running:
            self._panel.set_message("")
        self._controller.schedule()

    def _say_gone(self) -> None:
        text = f"The image layer was removed, so its {self._task.noun} was stopped."
        self._panel.set_message(text, "warning")


def _settings(request: Any, form: ChoiceForm) -> dict[str, Any]:
    """Values of a request that a form can show."""
    known = {item.name for item in fields(form.value_type)}
    return {
        item.name: getattr(request, item.name) for item in fields(request) if item.name in known
    }


def _is_source(layer: Any) -> bool:
    return isinstance(layer, Image) and METADATA_KEY not in layer.metadata


def _obstacle(layer: Image | None, viewer: napari.Viewer) -> str | None:
    try:
        return region_obstacle(layer, viewer)
    except ValueError as error:  # axes without names
        return error_line(error)
