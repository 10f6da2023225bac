"""The Train dock: layers and folders in, a model out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Shapes
from qtpy.QtCore import QTimer

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.labels import NUMBER_PARTS
from napari_ssp.registry import find_card, list_cards
from napari_ssp.service import JobState, TrainingState
from napari_ssp.service.compute.places import LOCAL, find_place
from napari_ssp.service.training.runs import (
    last_interrupted,
    mark_ended,
    mark_failed,
    new_run_folder,
)
from napari_ssp.widgets.compare.comparing import list_object_labels
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.label_watch import LabelWatch, PartsButton
from napari_ssp.widgets.docks.model_news import model_news
from napari_ssp.widgets.docks.open_dock import use_model
from napari_ssp.widgets.docks.shared_service import (
    TRAINING,
    preferred_choices,
    shared_service,
)
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.train.choices import CELLS, STRUCTURES
from napari_ssp.widgets.train.collect.collecting import Collecting
from napari_ssp.widgets.train.data import TrainData
from napari_ssp.widgets.train.form import TrainForm
from napari_ssp.widgets.train.pace_watch import PaceWatch
from napari_ssp.widgets.train.pairs import LayerPair
from napari_ssp.widgets.train.panel import TrainPanel
from napari_ssp.widgets.train.phases import (
    Finishing,
    Idle,
    Learning,
    Phase,
    Saving,
    note_progress,
    phase_after_result,
    phase_after_stop,
    request_to_submit,
    run_folder,
)
from napari_ssp.widgets.train.planning import (
    data_folders,
    layers_size,
    propose,
    save_request,
    with_pace,
)
from napari_ssp.widgets.train.setup_fold import SetupFold
from napari_ssp.widgets.train.view import TrainView

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_ssp.progress import Progress
    from napari_ssp.service import ModelService
    from napari_ssp.service.results import DataSize
    from napari_ssp.widgets.docks.job_controller import Proposal
    from napari_ssp.widgets.docks.relay import Outcome

# A layout knows its new sizes a moment after something was shown.
_LAYOUT_MS = 50
_STARTS = {
    Saving: "saving the layers …",
    Learning: "starting …",
    Finishing: "making a model of the best so far …",
}


class TrainDock(JobDock):
    """Trains models on a viewer's layers and on folders.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where layers come from.
    service : ModelService, optional
        Who trains; docks share one for this purpose otherwise, apart from that for predictions.

    Attributes
    ----------
    phase : Idle, Saving, Learning or Finishing
        What the dock is doing.
    """

    panel: TrainPanel

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(TrainPanel())
        self._viewer = own_viewer(napari_viewer)
        self.phase: Phase = Idle()
        self.form, self.data, self.view = TrainForm(), TrainData(), TrainView()
        self.parts_button, self.label_watch = PartsButton(), LabelWatch(self)
        self.parts_button.setCheckable(True)
        self.collecting = Collecting(self._viewer, self.data, self)
        works = self._propose, self._show_result
        spec = JobSpec("training", *works, amend=self._with_pace, purpose=TRAINING)
        self._measured = PaceWatch(service or shared_service(TRAINING), self)
        self._size: DataSize | None = None
        self.drive(JobController(spec, service, self), self._viewer)
        self.setup = SetupFold(self.form, self.data, self.collecting.panel)
        self.add(self.setup, self.parts_button, self.panel, self.view)
        self._connect()
        self.refresh_models()
        self.form.begin_with(preferred_choices())
        self.watch(self._viewer, self._update_layers, self._follow_selection)
        self._offer_resume()

    def run(self) -> None:
        """Train on what is chosen, as the Start button does."""
        request: Any = self.update_plan()
        if request is None:
            return
        sources = self.data.value()
        output = new_run_folder(request.name)
        request = replace(request, data=data_folders(sources, output), output=output)
        try:
            pairs = save_request(sources, output, request.base)
        except (ValueError, TypeError) as error:
            self.show_error(error)
            return
        self.view.clear()
        self._enter(Learning(request) if pairs is None else Saving(request, pairs))

    def cancel(self) -> None:
        """Stop, and make a model of the best so far, as the Stop button does."""
        if self.controller.cancel():
            self.panel.set_message("Stopped. No model was made.")
            self._enter(phase_after_stop(self.phase))
        self._offer_resume()

    def resume(self) -> None:
        """Go on with the newest training that was interrupted, as the Resume button does."""
        request = last_interrupted()
        if request is not None:
            self.view.clear()
            self._enter(Learning(request))

    def install(self) -> None:
        """Install a model that is not better than its base, as the button does."""
        if isinstance(self.phase, Idle) and self.phase.model is not None:
            self._enter(Finishing(self.phase.model.folder, "always"))

    def use(self) -> None:
        """Choose the new model in the dock that runs it, as the button does."""
        if isinstance(self.phase, Idle) and self.phase.model is not None:
            use_model(self._viewer, find_card(self.phase.model.name))

    def collect(self, labels: Labels, image: Image) -> None:
        """Choose labels and their image, and open where corrections are collected."""
        self.form.change(learn=CELLS)
        self.data.set_structures(False)
        self.data.labels_box.set_value(labels)
        self.data.image_box.set_value(image)
        self.setup.fold.setChecked(True)
        self.collecting.panel.fold.setChecked(True)

    def refresh_models(self) -> None:
        """Look again which models are installed."""
        cards = [card for card in list_cards() if not card.members]
        self.form.set_models([(card.name, card.family, card.description) for card in cards])

    def _propose(self) -> Proposal:
        choices = self.form.value()
        self.data.set_structures(choices.learn == STRUCTURES)
        proposal = propose(choices, self.data.value())
        self.controller.compute_at(choices.compute)
        is_here = find_place(choices.compute).kind == LOCAL
        # Nothing is known of another computer's pace. Nor is this one's measured while somebody
        # draws: it loads torch and keeps the processor busy for seconds.
        may_measure = is_here and not self.collecting.autosave.is_used
        told = may_measure and self._measured.ask(proposal.request)
        self._size = layers_size(self.data.value()) if told else None
        return proposal if choices.learn == STRUCTURES else self._with_doubts(proposal)

    def _with_pace(self, proposal: Proposal, plan: Any) -> Proposal:
        return proposal if self._size is None else with_pace(proposal, self._size, plan)

    def _with_doubts(self, proposal: Proposal) -> Proposal:
        """Say what is doubtful about layers, and number the parts of masks where that is chosen."""
        pairs = [source for source in self.data.value() if isinstance(source, LayerPair)]
        images = dict.fromkeys(pair.image for pair in pairs)
        doubts = self.label_watch.look_at([pair.target for pair in pairs], list(images))
        request: Any = proposal.request
        if self.parts_button.isChecked():
            doubts = tuple(line for line in doubts if NUMBER_PARTS not in line)
            request = replace(request, crops=replace(request.crops, number_parts=True))
        return replace(proposal, request=request, warnings=(*proposal.warnings, *doubts))

    def _offer_parts(self) -> None:
        """Offer to number the parts of masks where the plan, or the obstacle, names that."""
        if self.form.value().learn == STRUCTURES:
            self.parts_button.setVisible(False)
        else:
            self.parts_button.offer((self.panel.plan.text(), self.panel.warnings.text()))

    def _enter(self, phase: Phase) -> None:
        """Begin a phase: its work, and what the panel offers meanwhile."""
        self.phase = phase
        self.panel.set_model(phase.model if isinstance(phase, Idle) else None)
        request = request_to_submit(phase)
        if request is not None:
            self.setup.fold.setChecked(False)  # or curves and picture would be below the window
            self.controller.start(request, self._show_result)
            self.panel.set_message(_STARTS[type(phase)])

    def _show_result(self, value: Any) -> None:
        if isinstance(self.phase, Learning):
            mark_ended(value.folder)
        self._enter(phase_after_result(self.phase, value))
        if isinstance(self.phase, Idle):
            self.view.end()
            self.panel.set_message(value.sentence)
            if value.installed:
                model_news().changed.emit()

    def _note_progress(self, progress: Progress) -> None:
        self.phase = note_progress(self.phase, progress.preview)
        if isinstance(progress.preview, TrainingState):
            self.view.set_state(progress.preview)
        elif isinstance(self.phase, Saving):
            self.panel.set_message(_STARTS[Saving])

    def _note_end(self, outcome: Outcome) -> None:
        folder = run_folder(self.phase)
        if folder is not None and outcome.state is JobState.FAILED:
            mark_failed(folder)
        if outcome.state is not JobState.DONE:
            self._enter(Idle())
        self._offer_resume()

    def _update_layers(self) -> None:
        layers = self._viewer.layers
        images = [x for x in layers if isinstance(x, Image) and METADATA_KEY not in x.metadata]
        labels = list_object_labels(self._viewer)
        self.data.set_layers(images, labels, [x for x in layers if isinstance(x, Shapes)])
        self.collecting.follow_layers()
        self.controller.schedule()

    def _follow_selection(self) -> None:
        self.data.choose(self._viewer.layers.selection.active)

    def _scroll_to_run(self) -> None:
        """Scroll to what is of interest while a training runs."""
        QTimer.singleShot(_LAYOUT_MS, self._show_run)

    def _show_run(self) -> None:
        self.column.show_from(self.panel.run_button)

    def _offer_resume(self) -> None:
        request = last_interrupted()
        words = "" if request is None else f"Go on with '{request.name}' in {request.output}"
        self.panel.set_resumable(words)

    def _connect(self) -> None:
        self.form.changed.connect(self.controller.schedule)
        self.data.changed.connect(self.controller.schedule)
        self.parts_button.toggled.connect(self.controller.schedule)
        self.label_watch.looked.connect(self.controller.schedule)
        self.planned.connect(self._offer_parts)
        self.left.connect(self.label_watch.close)
        self.controller.progressed.connect(self._note_progress)
        self.done.connect(self._note_end)
        self._measured.known.connect(self.controller.schedule)
        self.left.connect(self.collecting.close)
        self.left.connect(self._measured.cancel)
        self.view.grown.connect(self._scroll_to_run)
        self.panel.resume_clicked.connect(self.resume)
        self.panel.use_clicked.connect(self.use)
        self.panel.install_clicked.connect(self.install)
        model_news().changed.connect(self.refresh_models)
