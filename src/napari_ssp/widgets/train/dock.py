"""The Train dock: layers and folders in, a model out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Shapes
from qtpy.QtCore import QTimer

from napari_ssp.registry import find_card, list_cards
from napari_ssp.service import FinishTrainingRequest, JobState, TrainingState
from napari_ssp.service.training.runs import (
    last_interrupted,
    mark_ended,
    mark_failed,
    new_run_folder,
)
from napari_ssp.widgets.compare.comparing import COMPARISON_KEY
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.model_news import model_news
from napari_ssp.widgets.docks.open_dock import use_model
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.shared_service import shared_service
from napari_ssp.widgets.layers.result_layers import METADATA_KEY
from napari_ssp.widgets.train.choices import STRUCTURES
from napari_ssp.widgets.train.collect.collecting import Collecting
from napari_ssp.widgets.train.data import TrainData
from napari_ssp.widgets.train.form import TrainForm
from napari_ssp.widgets.train.panel import TrainPanel
from napari_ssp.widgets.train.planning import Planning, data_folders, save_request
from napari_ssp.widgets.train.view import TrainView

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari

    from napari_ssp.progress import Progress
    from napari_ssp.service import ModelService, TrainedModel
    from napari_ssp.widgets.docks.relay import Outcome

# A layout knows its new sizes a moment after something was shown.
_LAYOUT_MS = 50


class TrainDock(JobDock):
    """Trains models on a viewer's layers and on folders.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where layers come from.
    service : ModelService, optional
        Who trains; docks share one for this purpose otherwise, apart from that for predictions.
    """

    noun = "training"
    panel: TrainPanel

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(napari_viewer, TrainPanel(), service or shared_service("training"))
        self.form, self.data, self.view = TrainForm(), TrainData(), TrainView()
        self.collecting = Collecting(self._viewer, self.data, self)
        self._planning = Planning(self)
        self._writer = Runner(parent=self)
        self._waiting: Any = None  # starts when the layers are written
        self._current: Any = None
        self._state: TrainingState | None = None
        self._model: TrainedModel | None = None
        self._is_finishing = False
        self._scroll = QTimer(self)
        self._scroll.setSingleShot(True)
        self._scroll.setInterval(_LAYOUT_MS)
        for part in (self.form, self.data, self.collecting.panel, self.panel, self.view):
            self.column.add(part)
        self._connect()
        self.refresh_models()
        self._start()
        self._offer_resume()

    def run(self) -> None:
        """Train on what is chosen, as the Start button does."""
        request = self.update_plan()
        if request is None:
            return
        sources = self.data.value()
        output = new_run_folder(request.name)
        request = replace(request, data=data_folders(sources, output), output=output)
        try:
            saving = save_request(sources, output, request.base)
        except (ValueError, TypeError) as error:
            self._show_error(error)
            return
        self._begin()
        if saving is None:
            self._train(request)
        else:
            self._waiting = request
            self.panel.set_message("saving the layers …")
            self._writer.start(saving)

    def cancel(self) -> None:
        """Stop, and make a model of the best so far, as the Stop button does."""
        learned = self._state is not None and self._state.step > 0
        is_training = self._runner.is_running and not self._is_finishing
        self._stop("Stopped. No model was made.")
        if is_training and learned:
            self._finish(None)
        self._offer_resume()

    def resume(self) -> None:
        """Go on with the newest training that was interrupted, as the Resume button does."""
        request = last_interrupted()
        if request is not None:
            self._begin()
            self._train(request)

    def install(self) -> None:
        """Install a model that is not better than its base, as the button does."""
        if self._model is not None:
            self._begin(keep_view=True)
            self._finish("always")

    def use(self) -> None:
        """Choose the new model in the dock that runs it, as the button does."""
        if self._model is not None:
            use_model(self._viewer, find_card(self._model.name))

    def refresh_models(self) -> None:
        """Look again which models are installed."""
        cards = [card for card in list_cards() if not card.members]
        self.form.set_models([(card.name, card.family, card.description) for card in cards])

    def _check(self) -> tuple[Any, str, Sequence[str]]:
        choices = self.form.value()
        self.data.set_structures(choices.learn == STRUCTURES)
        return self._planning.check(choices, self.data.value())

    def _show_result(self, value: TrainedModel) -> None:
        if not self._is_finishing:
            mark_ended(value.folder)
        self._model = value
        self.view.end()
        self.panel.set_message(value.sentence)
        self.panel.set_model(value)
        if value.installed:
            model_news().changed.emit()

    def _update_layers(self) -> None:
        layers = self._viewer.layers
        images = [x for x in layers if isinstance(x, Image) and METADATA_KEY not in x.metadata]
        labels = [x for x in layers if isinstance(x, Labels) and COMPARISON_KEY not in x.metadata]
        self.data.set_layers(images, labels, [x for x in layers if isinstance(x, Shapes)])
        self.collecting.follow_layers()
        self._schedule()

    def _follow_selection(self) -> None:
        self.data.choose(self._viewer.layers.selection.active)

    def _leave(self) -> None:
        self._stop("")
        self._planning.close()
        self.collecting.close()

    def _stop(self, reason: str) -> None:
        if self._writer.is_running:
            self._writer.cancel()
            self.panel.set_running(False)
            self.panel.set_message(reason)
        super()._stop(reason)

    def _begin(self, keep_view: bool = False) -> None:
        """Show that work is under way."""
        if not keep_view:
            self.view.clear()
            self._state = None
        self.panel.set_model(None)
        self.panel.set_running(True)

    def _train(self, request: Any) -> None:
        self._current, self._is_finishing = request, False
        self._launch(request)

    def _finish(self, install: str | None) -> None:
        """Make a model of the best so far; the service does it when the training has stopped."""
        self._is_finishing = True
        self._launch(FinishTrainingRequest(self._current.output, install))
        self.panel.set_message("making a model of the best so far …")

    def _on_written(self, outcome: Outcome) -> None:
        if outcome.state is JobState.DONE:
            self._train(self._waiting)
        else:
            self.panel.set_running(False)
            self._show_error(outcome.error)

    def _on_progress(self, progress: Progress) -> None:
        if isinstance(progress.preview, TrainingState):
            self._state = progress.preview
            self.view.set_state(progress.preview)
            # The rest of the stage is said below, in more detail.
            self.panel.set_progress(progress, f"{progress.stage.split(',')[0]} …")
        else:
            super()._on_progress(progress)

    def _on_end(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            mark_failed(self._current.output)
        super()._on_end(outcome)
        self._offer_resume()

    def _show_run(self) -> None:
        """Scroll to what is of interest while a training runs."""
        self.column.show_from(self.panel)

    def _offer_resume(self) -> None:
        request = last_interrupted()
        words = "" if request is None else f"Go on with '{request.name}' in {request.output}"
        self.panel.set_resumable(words)

    def _connect(self) -> None:
        self.form.changed.connect(self._schedule)
        self.data.changed.connect(self._schedule)
        self._planning.found.connect(self._schedule)
        self._writer.ended.connect(self._on_written)
        self.view.grown.connect(self._scroll.start)  # when the layout knows the new sizes
        self._scroll.timeout.connect(self._show_run)
        self.panel.resume_clicked.connect(self.resume)
        self.panel.use_clicked.connect(self.use)
        self.panel.install_clicked.connect(self.install)
        model_news().changed.connect(self.refresh_models)
