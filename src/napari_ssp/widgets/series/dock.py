"""The Series dock: images of a folder one after the other, segmented, corrected and measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_ssp.service import JobState
from napari_ssp.service.series.collecting import CollectSeriesRequest
from napari_ssp.service.series.listing import (
    ImageState,
    ListSeriesRequest,
    LookAtImagesRequest,
    Series,
    Stage,
)
from napari_ssp.service.series.segmenting import ImageNews, SegmentSeriesRequest
from napari_ssp.service.series.table import MeasureSeriesRequest
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.shared_service import preferred_choices
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.dock import SegmentDock
from napari_ssp.widgets.series.keys import SERIES_KEYS
from napari_ssp.widgets.series.panel import SeriesPanel
from napari_ssp.widgets.series.selected import selected_images
from napari_ssp.widgets.series.sentences import segmented_line, settings_line, table_line
from napari_ssp.widgets.series.visit import Visit

if TYPE_CHECKING:
    import napari

    from napari_ssp.progress import Progress
    from napari_ssp.service import ModelService
    from napari_ssp.service.series.listing import SeriesImage
    from napari_ssp.service.series.table import SeriesTable
    from napari_ssp.widgets.docks.relay import Outcome

_NO_SERIES = "Choose the folder of your images first."
_TO_DO = (Stage.WAITING, Stage.FAILED)
_ALL_DONE = "All images that can be read have labels."

#: Types of a table, as the file dialog names them, and their endings.
_TABLES = {"CSV (*.csv)": ".csv", "Parquet (*.parquet)": ".parquet"}


class SeriesDock(JobDock):
    """Goes through the images of a folder in a viewer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Gets the images and their labels.
    service : ModelService, optional
        Who segments and measures; docks share one otherwise.

    Attributes
    ----------
    series : Series or None
        Images that are listed.
    row : int
        Which of them is on display, from 0; -1 is none.
    """

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(RunPanel("Segment the images that have no labels yet", "Segment all"))
        self._viewer = own_viewer(napari_viewer)
        self.series: Series | None = None
        self.row = -1
        self._rows: dict[SeriesImage, int] = {}
        self._states: list[ImageState] = []
        self._worked_on: set[int] = set()
        self._looked_at: list[int] = []
        self.list, self.visit = SeriesPanel(), Visit(self._viewer, self)
        self.take_button = QPushButton("Take selected labels")
        self.table_button = QPushButton("One table of all…")
        self._lister, self._looker = Runner(parent=self), Runner(parent=self)
        spec = JobSpec("series", self._propose, self._show_segmented)
        self.drive(JobController(spec, service, self), self._viewer)
        self._lay_out()
        self._connect()
        self.watch(self._viewer, self.visit.follow_layers, self.controller.schedule)
        SERIES_KEYS.listen(self._viewer, self)

    @property
    def is_settled(self) -> bool:
        """Whether what was asked for is on display, and all is on the disk."""
        waited_for = self._lister.is_running or self._looker.is_running
        return self.visit.is_settled and not waited_for

    def open_folder(self, folder: str = "") -> None:
        """List the images of a folder; asks for one, as the button does."""
        folder = folder or QFileDialog.getExistingDirectory(self, "Images of the series")
        if folder:
            self._list(ListSeriesRequest(Path(folder)))

    def collect_layers(self, folder: str = "") -> None:
        """Save the selected layers to a folder and list that; asks for one, as the button does."""
        try:
            images = selected_images(self._viewer)
        except (ValueError, TypeError) as error:
            self._say_failed(error)
            return
        folder = folder or QFileDialog.getExistingDirectory(self, "Folder for the layers")
        if folder:
            self._list(CollectSeriesRequest(images, Path(folder)))

    def show_next(self) -> None:
        """Show the next image that can be read, as the button does."""
        self._step(1)

    def show_previous(self) -> None:
        """Show the image before, as the button does."""
        self._step(-1)

    def show_image(self, row: int) -> None:
        """Show an image and its labels in place of the one before, whose corrections are saved."""
        if self.series is not None:
            self._worked_on.add(self.row)
            self.row = row
            self.list.set_shown(row)
            self.visit.begin(self.series.images[row])

    def take_labels(self) -> None:
        """Make the selected labels those of the image, as the button does."""
        self.visit.take(self._viewer.layers.selection.active)

    def measure_all(self, path: str = "") -> None:
        """Measure all images into one table; asks for its name, as the button does."""
        if self.series is None or self.controller.is_running:
            return
        goal = Path(path) if path else self._ask_for_table(self.series.folder / "objects.csv")
        if goal is not None:
            request = MeasureSeriesRequest(self.series.images, goal)
            self.controller.start(request, self._show_table, noun="measurement")

    def _ask_for_table(self, suggested: Path) -> Path | None:
        """Ask for a file; the chosen type wins over the ending of the proposed name."""
        text, kind = QFileDialog.getSaveFileName(
            self, "One table of all", str(suggested), ";;".join(_TABLES)
        )
        if not text:
            return None
        path, suffix = Path(text), _TABLES.get(kind)
        if suffix in (None, path.suffix.lower()):
            return path
        is_other = path.suffix.lower() in _TABLES.values()
        path = path.with_name((path.stem if is_other else path.name) + suffix)
        if path.exists():  # the dialog has asked about another name
            self.panel.set_message(
                f"{path.name} exists already. Choose that name to replace it.", "error"
            )
            return None
        return path

    def _propose(self) -> Proposal:
        self.table_button.setEnabled(self.series is not None)
        if self.series is None:
            raise ValueError(_NO_SERIES)
        states = zip(self.series.images, self._states, strict=True)
        waiting = tuple(x for x, s in states if s.stage in _TO_DO and not x.problem)
        if not waiting:
            raise ValueError(_ALL_DONE)
        docks = self._viewer.window.dock_widgets.values()
        known = next((dock for dock in docks if isinstance(dock, SegmentDock)), None)
        begun: dict[str, Any] = dict(preferred_choices("objects"))
        choices = SegmentChoices(**begun) if known is None else known.form.value()
        self.controller.compute_at(choices.compute)
        settings = choices.request(waiting[0].image.path)
        summary = settings_line(len(waiting), settings, is_open=known is not None)
        return Proposal(SegmentSeriesRequest(waiting, settings), summary)

    def _list(self, request: ListSeriesRequest | CollectSeriesRequest) -> None:
        if self.controller.is_running:
            self.panel.set_message("Wait for the end of the run, or press Cancel first.", "warning")
            return
        self.panel.set_message("looking at the folder …")
        self._lister.start(request)

    def _step(self, by: int) -> None:
        """Show the nearest image in a direction that can be read."""
        images = self.series.images if self.series is not None else ()
        row = self.row + by
        while 0 <= row < len(images) and images[row].problem:
            row += by
        if 0 <= row < len(images):
            self.show_image(row)

    def _on_listed(self, outcome: Outcome) -> None:
        if outcome.state is not JobState.DONE:
            self._say_failed(outcome.error)
            return
        self._looker.cancel()
        self.visit.clear()
        series: Series = outcome.value
        self.series, self.row = series, -1
        self._rows = {image: row for row, image in enumerate(series.images)}
        self._states, self._worked_on = list(series.states), set()
        self.list.set_series(series)
        self.panel.set_message("\n".join(series.notes))
        self.controller.schedule()
        self.show_next()

    def _on_refused(self, error: BaseException | None) -> None:
        self._note(self.row, ImageState(Stage.FAILED, error_line(error)))
        self._say_failed(error)
        self._look()

    def _on_saved(self) -> None:
        self._worked_on.add(self.row)
        self._look()

    def _look(self) -> None:
        """Look how far the images have come that somebody worked on."""
        self._worked_on.discard(-1)
        if self.series is not None and self._worked_on:
            self._looked_at = sorted(self._worked_on)
            images = tuple(self.series.images[row] for row in self._looked_at)
            self._looker.start(LookAtImagesRequest(images))

    def _on_looked(self, outcome: Outcome) -> None:
        if outcome.state is JobState.DONE:
            for row, state in zip(self._looked_at, outcome.value, strict=True):
                known = self._states[row].stage
                is_failure = known is Stage.FAILED and state.stage is Stage.WAITING
                # What a run has said, e.g. why it failed, stands nowhere else.
                if state.words or not (is_failure or known is state.stage):
                    self._note(row, state)
            self._worked_on -= set(self._looked_at)
        self.controller.schedule()

    def _on_progress(self, progress: Progress, text: str) -> None:
        news = progress.preview
        if not isinstance(news, ImageNews) or self.series is None:
            return
        row = self._rows[news.image]
        self._note(row, news.state)
        if news.state.stage is Stage.SEGMENTED and row == self.row and self.visit.labels is None:
            self.show_image(row)

    def _note(self, row: int, state: ImageState) -> None:
        self._states[row] = state
        self.list.set_state(row, state)

    def _look_at_all(self) -> None:
        """Look at all images after a run, also one that was cancelled within one of them."""
        if self.series is not None:
            self._worked_on = set(range(len(self.series.images)))
            self._look()

    def _show_segmented(self, states: tuple[ImageState, ...]) -> None:
        self.panel.set_message(segmented_line(states))

    def _show_table(self, table: SeriesTable) -> None:
        self.panel.set_message(table_line(table), "warning" if table.problems else "info")

    def _say(self, sentence: str) -> None:
        self.panel.set_message(sentence, "warning")

    def _say_failed(self, error: BaseException | None) -> None:
        self._say(error_line(error))

    def _leave(self) -> None:
        SERIES_KEYS.forget(self._viewer, self)
        self._lister.cancel()
        self._looker.cancel()
        self.visit.close()

    def _connect(self) -> None:
        self.list.folder_clicked.connect(self._ask_folder)
        self.list.layers_clicked.connect(self._ask_layers)
        self.list.chosen.connect(self.show_image)
        self.list.next_clicked.connect(self.show_next)
        self.list.previous_clicked.connect(self.show_previous)
        self.take_button.clicked.connect(self.take_labels)
        self.table_button.clicked.connect(self._ask_table)
        self._lister.ended.connect(self._on_listed)
        self._looker.ended.connect(self._on_looked)
        self.visit.opened.connect(self._look)
        self.visit.saved.connect(self._on_saved)
        self.visit.noted.connect(self._say)
        self.visit.refused.connect(self._on_refused)
        self.visit.lost.connect(self._say_failed)
        self.controller.progressed.connect(self._on_progress)
        self.controller.stopped.connect(self._look_at_all)
        self.controller.ended.connect(self._look_at_all)
        self.left.connect(self._leave)

    def _lay_out(self) -> None:
        self.take_button.setToolTip("Save the selected labels as those of the image on display")
        self.table_button.setToolTip("Measure the objects of all images into one CSV or Parquet")
        self.add(self.list, self.take_button, self.panel, self.table_button)

    def _ask_folder(self) -> None:
        self.open_folder()

    def _ask_layers(self) -> None:
        self.collect_layers()

    def _ask_table(self) -> None:
        self.measure_all()
