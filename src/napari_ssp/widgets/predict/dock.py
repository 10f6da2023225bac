"""The Predict dock: fluorescent structures from a viewer's transmitted-light stacks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import IMAGES, find_card
from napari_ssp.service import GatesRequest, JobState, plan_prediction
from napari_ssp.widgets.docks.layer_dock import LayerDock, Words, channel_choices
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.layers.images import (
    check_planes,
    current_plane,
    current_time,
    is_stack,
    stack_image,
    visible_region,
)
from napari_ssp.widgets.predict.form import PredictForm
from napari_ssp.widgets.predict.gate_panel import GatePanel
from napari_ssp.widgets.predict.results import prepare_structures
from napari_ssp.widgets.predict.sentences import prediction_line
from napari_ssp.widgets.predict.structure_colours import structure_colours

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Image

    from napari_ssp.service import (
        ModelService,
        PredictionPlan,
        PredictRequest,
        StructurePrediction,
    )
    from napari_ssp.widgets.docks.relay import Outcome
    from napari_ssp.widgets.predict.results import PreparedStructures


class PredictDock(LayerDock):
    """Predicts fluorescent structures from a viewer's transmitted-light stacks.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where stacks come from and predictions go.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    words = Words(
        makes=IMAGES,
        noun="prediction",
        image_help="Image layer with the transmitted-light stack; follows the selected layer",
        run_help="Predict the chosen structures",
        no_image="Open a transmitted-light stack first: drop a file on the viewer, or File > Open "
        "Sample > napari-ssp.",
        no_model="No model for structures is installed. Run 'napari-ssp models list' to see where "
        "they are looked for.",
    )
    form: PredictForm

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(napari_viewer, PredictForm(), service)
        self.gates = GatePanel()
        self._gate_runner = Runner(service, self)
        self.column.add(self.gates)
        self.planned.connect(self._follow_plan)
        self.gates.wanted.connect(self._load_gates)
        self._gate_runner.ended.connect(self._show_gates)
        self._follow_plan()

    def _suits(self, layer: Image) -> bool:
        # A measured plane beside the stack, clicked on to compare, is not what to predict from.
        return is_stack(layer)

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
        if "z" in find_card(self.form.value().model).axes:
            check_planes(image)
        choices = self.form.value()
        request: PredictRequest = choices.request(
            image,
            time=current_time(layer, self._viewer),
            region=visible_region(layer, self._viewer) if choices.visible_only else None,
        )
        return request

    def _plan(self, request: PredictRequest) -> PredictionPlan:
        return plan_prediction(request)

    def _preparation(self) -> Callable[[StructurePrediction], PreparedStructures]:
        colours = structure_colours(self.form.tasks())
        channel = self.form.value().channel or 0
        return partial(prepare_structures, channel=channel, colours=colours)

    def _result_line(self, value: Any, layer: Image) -> str:
        try:
            _, plane = current_plane(layer, self._viewer)
        except ValueError:  # 3D display: there is no plane to look at
            return prediction_line(value)
        return prediction_line(value, plane)

    def _leave(self) -> None:
        super()._leave()
        self._gate_runner.cancel()

    def _follow_plan(self) -> None:
        choices = self.form.value()
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
