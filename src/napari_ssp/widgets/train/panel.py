"""Start, Stop and Resume of a training, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_ssp.service import TrainingState
from napari_ssp.widgets.docks.run_panel import RunPanel

if TYPE_CHECKING:
    from napari_ssp.progress import Progress
    from napari_ssp.service import TrainedModel

_NOTHING_TO_RESUME = "There is no training that was interrupted"


class TrainPanel(RunPanel):
    """Run panel with a third button, and buttons for the model at the end.

    Setters in: those of :class:`RunPanel`, ``set_resumable``, ``set_model``. Signals out:
    ``resume_clicked``, ``use_clicked``, ``install_clicked`` besides those of the run panel.
    """

    resume_clicked = Signal()
    use_clicked = Signal()
    install_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self.resume_button = QPushButton("Resume")
        self._resumable = ""
        super().__init__("Train a new model; the base model stays as it is", "Start", parent)
        self.cancel_button.setText("Stop")
        self.cancel_button.setToolTip("Stop, and make a model of the best so far")
        self.use_button = QPushButton("Use the new model")
        self.use_button.setToolTip("Choose the new model in the dock that runs it")
        self.install_button = QPushButton("Install anyway")
        self.install_button.setToolTip(
            "Offer the new model in all docks, though it is not known to be better"
        )
        self.resume_button.clicked.connect(self.resume_clicked)
        self.use_button.clicked.connect(self.use_clicked)
        self.install_button.clicked.connect(self.install_clicked)
        self._add_buttons()
        self.set_model(None)
        self.set_resumable("")

    def set_resumable(self, words: str) -> None:
        """Offer to go on with an interrupted training; empty where there is none."""
        self._resumable = words
        self.resume_button.setToolTip(words or _NOTHING_TO_RESUME)
        self._update_run_button()

    def set_model(self, model: TrainedModel | None) -> None:
        """Offer what can be done with the new model."""
        self.use_button.setVisible(model is not None and model.installed)
        self.install_button.setVisible(model is not None and not model.installed)

    def set_progress(self, progress: Progress, text: str) -> None:
        """Show a step of the run; of a training the rest is said below, in more detail."""
        if isinstance(progress.preview, TrainingState):
            text = f"{progress.stage.split(',')[0]}{_images(progress)} …"
        super().set_progress(progress, text)

    def _update_run_button(self) -> None:
        super()._update_run_button()
        self.resume_button.setEnabled(not self._running)
        self.resume_button.setVisible(bool(self._resumable))

    def _add_buttons(self) -> None:
        layout: Any = self.layout()
        layout.insertWidget(layout.indexOf(self.bar), self.resume_button)
        row = QHBoxLayout()
        row.addWidget(self.use_button)
        row.addWidget(self.install_button)
        layout.addLayout(row)


def _images(progress: Progress) -> str:
    """Which image is scored; learning counts shares of its time."""
    if not progress.stage.startswith("scoring") or progress.total < 2:
        return ""
    return f", image {min(progress.done + 1, progress.total)} of {progress.total}"
