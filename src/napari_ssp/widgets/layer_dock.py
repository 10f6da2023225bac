"""What the docks share that make result layers of an image layer: following, running, ending."""

from __future__ import annotations

import logging
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ssp.registry import list_cards
from napari_ssp.service import JobState
from napari_ssp.widgets.fields import ChoiceBox
from napari_ssp.widgets.layers import region_obstacle
from napari_ssp.widgets.messages import error_line, is_expected
from napari_ssp.widgets.result_layers import METADATA_KEY, ResultLayers
from napari_ssp.widgets.run_panel import RunPanel
from napari_ssp.widgets.runner import Runner
from napari_ssp.widgets.scroll_column import ScrollColumn
from napari_ssp.widgets.time_left import TimeLeft
from napari_ssp.widgets.viewer_watch import ViewerWatch, own_viewer

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.progress import Progress
    from napari_ssp.service import ModelService
    from napari_ssp.widgets.choice_form import ChoiceForm
    from napari_ssp.widgets.relay import Outcome

_LOG = logging.getLogger(__name__)
_REFUSALS = (ValueError, TypeError, OSError, ImportError)
# Panning and typing come in bursts; the plan follows when they pause.
_PAUSE_MS = 100


@dataclass(frozen=True)
class Words:
    """What tells one dock from another, for a person and in the catalogue of models.

    Attributes
    ----------
    family : str
        Family of the models that are offered.
    noun : str
        What is done to an image: "segmentation".
    image_help, run_help : str
        Tooltips of the list of layers and of the Run button.
    no_image, no_model : str
        What to do when there is nothing to choose from.
    """

    family: str
    noun: str
    image_help: str
    run_help: str
    no_image: str
    no_model: str


class LayerDock(QWidget):
    """Form and run panel for a viewer's image layers; a subclass says what is done to them.

    A subclass gives ``words`` and the methods ``_request``, ``_plan``, ``_preparation``,
    ``_result_line``; where not every image will do ``_suits``, where the form depends on the model
    ``_fit_to_model``, and where a result is not the end ``_after_result``.

    Parameters
    ----------
    viewer : napari.Viewer
        Where images come from and results go.
    form : ChoiceForm
        What a person chooses.
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
    words: Words

    def __init__(
        self, viewer: napari.Viewer, form: ChoiceForm, service: ModelService | None = None
    ) -> None:
        super().__init__()
        self._viewer = own_viewer(viewer)
        self._results = ResultLayers(self._viewer)
        self._source: weakref.ref[Image] | None = None
        self._time_left = TimeLeft()
        self.image_box = ChoiceBox(self.words.image_help)
        self.form = form
        self.column = ScrollColumn()
        self.panel = RunPanel(self.words.run_help)
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
        cards = [card for card in list_cards() if card.family == self.words.family]
        self.form.set_models([(card.name, card.description) for card in cards])

    def run(self) -> None:
        """Do what is chosen, as the Run button does."""
        request = self.update_plan()
        if request is None:
            return
        self._source = weakref.ref(self.image_box.value())
        self._time_left = TimeLeft()
        self.panel.set_running(True)
        self.panel.set_message("starting …")
        self._runner.start(request, self._preparation())

    def cancel(self) -> None:
        """Stop the run, as the Cancel button does; nothing is added to the viewer."""
        self._stop("Cancelled.")

    def update_plan(self) -> Any:
        """Show what Run will do, or why it cannot; pixels are not read.

        Returns
        -------
        request or None
            What Run will submit.
        """
        self._timer.stop()
        layer = self.image_box.value()
        self.form.set_region_available(_obstacle(layer, self._viewer))
        request = None
        try:
            request = self._checked_request(layer)
            plan = self._plan(request)
            self.panel.set_plan(plan.summary, getattr(plan, "warnings", ()))
        except _REFUSALS as error:
            request = None
            self.panel.set_obstacle(error_line(error))
        self.planned.emit()
        return request

    def event(self, event: Any) -> bool:
        """Stop the work when the dock is taken out of the window for good."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._leave()
        return bool(super().event(event))

    def _leave(self) -> None:
        self._stop("")

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

    def _preparation(self) -> Callable[[Any], Any]:
        """Return what makes, on the worker, a ``Placed`` of the job's result."""
        raise NotImplementedError

    def _result_line(self, value: Any, layer: Image) -> str:
        """Sentence about what was found in a layer."""
        raise NotImplementedError

    def _after_result(self, value: Any, layer: Image) -> None:
        """Do what comes after a result is on display."""

    def _checked_request(self, layer: Image | None) -> Any:
        model = self.form.value().model
        if not model:
            raise ValueError(self.words.no_model)
        self._fit_to_model(model)
        if layer is None:
            raise ValueError(self.words.no_image)
        return self._request(layer)

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
            self._say_gone()
            return
        try:
            self._results.show(outcome.value, layer)
        except Exception as error:  # the image's axes may have been changed meanwhile
            self._show_error(error)
            return
        self.panel.set_message(self._result_line(outcome.value, layer))
        self._after_result(outcome.value, layer)

    def _show_error(self, error: BaseException | None) -> None:
        line = error_line(error)
        level = logging.DEBUG if is_expected(error) else logging.ERROR
        title = f"{self.words.noun.capitalize()} failed"
        _LOG.log(level, "%s: %s", title, line, exc_info=error)
        self.panel.set_message(line, "error")
        show_error(f"{title}: {line}")

    def _stop(self, reason: str) -> None:
        if self._runner.is_running:
            self._runner.cancel()
            self.panel.set_running(False)
            self.panel.set_message(reason)

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
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.column)
        self.form.insert_first_row("Image", self.image_box)
        self.column.add(self.form)
        self.column.add(self.panel)


def channel_choices(image: MicroscopyImage) -> list[tuple[str, int | None]]:
    """Channels of an image by name; none where there is nothing to choose from."""
    if image.rgb:
        return [("All colours", None)]
    if image.num_channels == 1:
        return []
    names = image.channel_names or [f"Channel {i + 1}" for i in range(image.num_channels)]
    return [(name, index) for index, name in enumerate(names)]


def _is_source(layer: Any) -> bool:
    return isinstance(layer, Image) and METADATA_KEY not in layer.metadata


def _obstacle(layer: Image | None, viewer: napari.Viewer) -> str | None:
    try:
        return region_obstacle(layer, viewer)
    except ValueError as error:  # axes without names
        return error_line(error)
