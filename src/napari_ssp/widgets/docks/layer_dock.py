"""Base of the docks that make result layers of an image layer."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_ssp.registry import list_cards
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.model_news import model_news
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.layers.images import region_obstacle
from napari_ssp.widgets.layers.result_layers import METADATA_KEY, ResultLayers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import ModelService
    from napari_ssp.widgets.forms.model_form import ChoiceForm


@dataclass(frozen=True)
class Words:
    """What tells one dock from another, for the user and in the catalogue of models.

    Attributes
    ----------
    makes : str
        What the models that are offered make: objects or images.
    noun : str
        What is done to an image: "segmentation".
    image_help, run_help : str
        Tooltips of the list of layers and of the Run button.
    no_image, no_model : str
        What to do when there is nothing to choose from.
    """

    makes: str
    noun: str
    image_help: str
    run_help: str
    no_image: str
    no_model: str


class LayerDock(JobDock):
    """Form and run panel for a viewer's image layers; a subclass says what is done to them.

    A subclass gives ``words`` and the methods ``_request``, ``_plan``, ``_preparation``,
    ``_result_line``; where not every image will do ``_suits``, where the form depends on the model
    ``_fit_to_model``, and where a result is not the end ``_after_result``. What is prepared is a
    ``Placed``.

    Parameters
    ----------
    viewer : napari.Viewer
        Where images come from and results go.
    form : ChoiceForm
        What the user chooses.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    words: Words

    def __init__(
        self, viewer: napari.Viewer, form: ChoiceForm, service: ModelService | None = None
    ) -> None:
        super().__init__(viewer, RunPanel(self.words.run_help), service)
        self.noun = self.words.noun
        self._results = ResultLayers(self._viewer)
        self._source: weakref.ref[Image] | None = None
        self.image_box = ChoiceBox(self.words.image_help)
        self.form = form
        self.form.insert_first_row("Image", self.image_box)
        self.column.add(self.form)
        self.column.add(self.panel)
        self._fill()
        self.image_box.currentIndexChanged.connect(self._schedule)
        self.form.changed.connect(self._schedule)
        model_news().changed.connect(self.refresh_models)
        self.refresh_models()
        self._start()

    def refresh_models(self) -> None:
        """Look again which models are installed."""
        cards = [card for card in list_cards() if card.makes == self.words.makes]
        self.form.set_models([(card.name, card.description) for card in cards])

    def choose_model(self, name: str) -> None:
        """Choose a model, also one that was installed a moment ago."""
        self.refresh_models()
        self.form.set_value(replace(self.form.value(), model=name))

    def repeat(self, request: Any, source: Image) -> None:
        """Run a request of an earlier result; the form shows its settings.

        Parameters
        ----------
        request : SegmentRequest or PredictRequest
            What made the result.
        source : napari.layers.Image
            The layer that it was made from.

        Raises
        ------
        RuntimeError
            When the dock is at work.
        """
        if self._runner.is_running:
            raise RuntimeError("The dock is at work. Wait for its end, or press Cancel.")
        self.image_box.set_value(source)
        self.form.set_value(replace(self.form.value(), **_settings(request, self.form)))
        self._source = weakref.ref(source)
        self._launch(request, self._preparation())

    def _note_start(self) -> None:
        self._source = weakref.ref(self.image_box.value())

    def _fill(self) -> None:
        """Add what a dock has below the run panel."""

    def _suits(self, layer: Image) -> bool:
        """Whether a layer may be chosen just because it was selected."""
        return True

    def _fit_to_model(self, model: str) -> None:
        """Fit the form to the chosen model."""

    def _request(self, layer: Image) -> Any:
        """Fit the form to the layer and make the request; a model is chosen."""
        raise NotImplementedError

    def _plan(self, request: Any) -> Any:
        """Plan of a request, with a ``summary`` and possibly ``warnings``; reads no pixels."""
        raise NotImplementedError

    def _result_line(self, value: Any, layer: Image) -> str:
        """Sentence about what was found in a layer."""
        raise NotImplementedError

    def _after_result(self, value: Any, layer: Image) -> None:
        """Do what comes after a result is on display."""

    def _check(self) -> tuple[Any, str, Sequence[str]]:
        layer = self.image_box.value()
        self.form.set_region_available(_obstacle(layer, self._viewer))
        model = self.form.value().model
        if not model:
            raise ValueError(self.words.no_model)
        self._fit_to_model(model)
        if layer is None:
            raise ValueError(self.words.no_image)
        request = self._request(layer)
        plan = self._plan(request)
        return request, plan.summary, getattr(plan, "warnings", ())

    def _show_result(self, value: Any) -> None:
        layer = self._source() if self._source else None
        if layer is None or layer not in self._viewer.layers:
            self._say_gone()
            return
        self._results.show(value, layer)
        self.panel.set_message(self._result_line(value, layer))
        self._after_result(value, layer)

    def _say_gone(self) -> None:
        text = f"The image layer was removed, so its {self.words.noun} was stopped."
        self.panel.set_message(text, "warning")

    def _update_layers(self) -> None:
        layers = [layer for layer in self._viewer.layers if _is_source(layer)]
        self.image_box.set_choices([(layer.name, layer) for layer in layers])
        source = self._source() if self._source else None
        if self._runner.is_running and source not in self._viewer.layers:
            self._stop("")
            self._say_gone()
        self._schedule()

    def _follow_selection(self) -> None:
        active, chosen = self._viewer.layers.selection.active, self.image_box.value()
        if active is None or active not in self.image_box:
            return
        if self._suits(active) or not self._suits(chosen):
            self.image_box.set_value(active)


def channel_choices(image: MicroscopyImage) -> list[tuple[str, int | None]]:
    """Channels of an image by name; none where there is nothing to choose from."""
    if image.rgb:
        return [("All colours", None)]
    if image.num_channels == 1:
        return []
    names = image.channel_names or [f"Channel {i + 1}" for i in range(image.num_channels)]
    return [(name, index) for index, name in enumerate(names)]


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
