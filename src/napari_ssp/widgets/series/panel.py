"""List of the images of a series, and the buttons that go through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.service.series.listing import Stage
from napari_ssp.widgets.forms.wrapped_label import SmallPrint, WrappedLabel
from napari_ssp.widgets.series.keys import SERIES_KEYS

if TYPE_CHECKING:
    from napari_ssp.service.series.listing import ImageState, Series, SeriesImage

_HEIGHT = 220  # pixels
_EXPLANATION = (
    "Images of a folder, one after the other. What you correct is saved beside them as you go."
)
_NO_FOLDER = "No folder is chosen."
_MARKS = {
    Stage.WAITING: "–",
    Stage.SEGMENTING: "…",
    Stage.SEGMENTED: "✓",
    Stage.CORRECTED: "✎",
    Stage.DECIDED: "✔",
    Stage.FAILED: "✗",
}


class SeriesPanel(QWidget):
    """List with buttons; knows neither the viewer nor the service.

    Setters in: ``set_series``, ``set_state``, ``set_shown``. Signals out: ``chosen(row)``, when a
    person wants an image; ``folder_clicked``, ``layers_clicked``, ``next_clicked``,
    ``previous_clicked``.
    """

    chosen = Signal(int)
    folder_clicked = Signal()
    layers_clicked = Signal()
    next_clicked = Signal()
    previous_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: tuple[SeriesImage, ...] = ()
        self._items: list[QListWidgetItem] = []
        self.folder_button = QPushButton("Folder…")
        self.layers_button = QPushButton("Selected layers…")
        self.place, self.list = WrappedLabel(_NO_FOLDER), QListWidget()
        self.previous_button = QPushButton("◀ Previous")
        self.next_button = QPushButton("Next ▶")
        self.folder_button.setToolTip("Choose the folder of the images")
        self.layers_button.setToolTip(
            "Save the selected image layers, and labels of them, to a folder, and go through that"
        )
        self.list.setToolTip("A double click shows an image and its labels")
        self.list.setMaximumHeight(_HEIGHT)
        self.list.setWordWrap(True)
        self.previous_button.setToolTip(SERIES_KEYS.words("show_previous"))
        self.next_button.setToolTip(SERIES_KEYS.words("show_next"))
        self._lay_out()
        self._connect()

    def set_series(self, series: Series) -> None:
        """List the images of a series."""
        self._images = series.images
        self.place.setText(str(series.folder))
        self.list.clear()
        self._items = [QListWidgetItem(self.list) for _ in series.images]
        for row, state in enumerate(series.states):
            self.set_state(row, state)

    def set_state(self, row: int, state: ImageState) -> None:
        """Say how far an image has come."""
        image, item = self._images[row], self._items[row]
        words = state.words or state.stage.value
        if state.stage in (Stage.FAILED, Stage.SEGMENTING) and state.words:
            path = image.image.path
            words = f"{state.stage}: {state.words}".replace(str(path), path.name)
        item.setText(f"{_MARKS[state.stage]}  {image.name}  ({words.splitlines()[0]})")
        item.setToolTip(f"{image.image}: {words}")

    def set_shown(self, row: int) -> None:
        """Mark the image that is on display."""
        self.list.setCurrentRow(row)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.addWidget(self.folder_button, 0, 0)
        grid.addWidget(self.layers_button, 0, 1)
        steps = QGridLayout()
        steps.addWidget(self.previous_button, 0, 0)
        steps.addWidget(self.next_button, 0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(SmallPrint(_EXPLANATION))
        layout.addLayout(grid)
        layout.addWidget(self.place)
        layout.addWidget(self.list)
        layout.addLayout(steps)

    def _connect(self) -> None:
        self.folder_button.clicked.connect(self.folder_clicked)
        self.layers_button.clicked.connect(self.layers_clicked)
        self.next_button.clicked.connect(self.next_clicked)
        self.previous_button.clicked.connect(self.previous_clicked)
        self.list.itemActivated.connect(self._choose)

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(self.list.row(item))
