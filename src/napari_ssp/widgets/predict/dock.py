"""The Predict dock: fluorescent structures from a viewer's transmitted-light stacks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import IMAGES, find_card
from napari_ssp.service import GatesRequest, JobState, objects_request
from napari_ssp.service.preparing import PREDICTION
from napari_ssp.service.structures.plan import suits_planes
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.layer_job import LayerJob, LayerTask
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.layers.images import (
    channel_choices,
    check_planes,
    current_plane,
    current_time,
    is_stack,
    layer_scene,
    stack_image,
    visible_region,
)
from napari_ssp.widgets.measure.freshness import note_measured
from napari_ssp.widgets.predict.form import PredictForm
from napari_ssp.widgets.predict.gate_panel import GatePanel
from napari_ssp.widgets.predict.objects import (
    ObjectsButton,
    PreparedObjects,
    objects_line,
    prepare_objects,
)
from napari_ssp.widgets.predict.results import prepare_structures
from napari_ssp.widgets.predict.sentences import prediction_line
from napari_ssp.widgets.predict.structure_colours import structure_colours

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Image

    from napari_ssp.service import ModelService, PredictRequest, StructurePrediction
    from napari_ssp.widgets.docks.relay import Outcome
    from napari_ssp.widgets.predict.results import PreparedStructures


class PredictDock(JobDock):
    """Predicts fluorescent structures from a viewer's transmitted-light stacks.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where stacks come from and predictions go.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(RunPanel("Predict the chosen structures"))
        self._viewer = own_viewer(napari_viewer)
        self.form = PredictForm()
        task = LayerTask(
            makes=IMAGES,
            noun="prediction",
            image="a transmitted-light stack",
            things="structures",
            image_help="Image layer with the transmitted light; follows the selected layer",
            fit_to_model=self._fit_to_model,
            request=self._request,
            prepare=self._preparation,
            conclude=self._conclude,
            ahead=PREDICTION,
            # A measured plane beside the stack, clicked on to compare, is not what to predict from.
            suits=is_stack,
        )
        self.layers = LayerJob(self._viewer, self.form, task, self, service)
        self.image_box = self.layers.image_box
        self.objects_button = ObjectsButton()
        self.gates = GatePanel()
        self._gate_runner = Runner(service, self)
        self.add(self.objects_button, self.gates)
        self.planned.connect(self._follow_plan)
        self.objects_button.clicked.connect(self.find_objects)
        self.controller.refused.connect(self.objects_button.refuse)
        self.left.connect(self._gate_runner.cancel)
        self.gates.wanted.connect(self._load_gates)
        self._gate_runner.ended.connect(self._show_gates)
        self.watch(self._viewer, self.layers.update_layers, self.layers.follow_selection)

    def refresh_models(self) -> None:
        """Look again which models are installed."""
        self.layers.refresh_models()

    def choose_model(self, name: str) -> None:
        """Choose a model, also one that was installed a moment ago."""
        self.layers.choose_model(name)

    def repeat(self, request: PredictRequest, source: Image) -> None:
        """Run a request of an earlier result, made of a layer; the form shows its settings."""
        self.layers.repeat(request, source)

    def find_objects(self) -> None:
        """Predict the first chosen structure, segment and measure it, as the button does."""
        request: Any = None if self.controller.is_running else self.update_plan()
        if request is None:
            return
        try:
            wanted = objects_request(request)
        except ValueError as error:
            self.panel.set_message(error_line(error), "warning")
            return
        colour = structure_colours(self.form.tasks())[request.tasks[0]]
        prepare = partial(prepare_objects, channel=wanted.channel or 0, colour=colour)
        self.layers.start(wanted, prepare)

    def _fit_to_model(self, model: str) -> None:
        card = find_card(model)
        descriptions = card.task_descriptions
        self.form.set_tasks([(name, descriptions.get(name, "")) for name in card.tasks])
        self.form.set_model_voxel_size(card.voxel_size)
        self.form.set_units_known(bool(card.target_statistics))

    def _request(self, layer: Image) -> PredictRequest:
        image = stack_image(layer)
        self.form.set_channels(channel_choices(image))
        self.form.set_planes(image.sizes.get("z", 1))
        self.form.set_layer_voxel_size(image.voxel_size)
        choices = self.form.value()
        card = find_card(choices.model)
        if "z" in card.axes and not suits_planes(card, choices.tasks):
            check_planes(image, card)
        request: PredictRequest = choices.request(
            image,
            time=current_time(layer, self._viewer),
            region=visible_region(layer, self._viewer) if choices.visible_only else None,
            scene=layer_scene(layer),
        )
        return request

    def _preparation(self) -> Callable[[StructurePrediction], PreparedStructures]:
        colours = structure_colours(self.form.tasks())
        channel = self.form.value().channel or 0
        return partial(prepare_structures, channel=channel, colours=colours)

    def _conclude(self, value: PreparedStructures | PreparedObjects, layer: Image) -> str:
        if isinstance(value, PreparedObjects):
            labels: Any = self.layers.results.layer(layer, value.labels_name)
            labels.features = value.features
            note_measured(labels, value.digest)
            return objects_line(value)
        try:
            _, plane = current_plane(layer, self._viewer)
        except ValueError:  # 3D display: there is no plane to look at
            return prediction_line(value)
        return prediction_line(value, plane)

    def _follow_plan(self) -> None:
        choices = self.form.value()
        self.objects_button.offer(choices.tasks)
        if choices.tasks:
            self.gates.suggest(choices.tasks[0])
        self.gates.set_tasks(choices.model or "", self.form.tasks())

    def _load_gates(self, model: str, task: str) -> None:
        self._gate_runner.start(GatesRequest(model, task), dict)

    def _show_gates(self, outcome: Outcome) -> None:
        if outcome.state is JobState.DONE:
            self.gates.set_gates(outcome.value)
        else:
            self.gates.set_message(error_line(outcome.error))
