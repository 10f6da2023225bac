"""The part of the Train dock that collects corrected labels."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.forms.editor_form import FoldButton
from napari_ssp.widgets.forms.wrapped_label import SmallPrint
from napari_ssp.widgets.train.collect.keys import COLLECT_KEYS
from napari_ssp.widgets.train.fields import FolderBox

_EXPLANATION = (
    "Correct labels with napari's brushes, then add them. From then on every correction is saved "
    "by itself. Draw a Shapes layer around what you corrected and choose it as 'Annotated' above "
    "if you did not look at everything."
)


def default_training_set() -> Path:
    """Folder that annotations go to unless the user chooses another."""
    return Path.home() / "napari-ssp" / "training-set"


class CollectPanel(QWidget):
    """Fold with a folder and two buttons; knows neither the viewer nor files.

    Setters in: ``set_folder``, ``set_message``. Signals out: ``add_clicked``, ``next_clicked``.
    """

    add_clicked = Signal()
    next_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fold = FoldButton(
            "Correct and collect", "Build a training set of your own while you correct labels"
        )
        self.folder_box = FolderBox("Training set: labels that are added go here", "choose one")
        self.folder_box.set_value(default_training_set())
        self.add_button = QPushButton("Add to training set")
        self.add_button.setToolTip(
            "Write the chosen labels and their image to the training set "
            f"({COLLECT_KEYS.key('add')}); later corrections are saved by themselves"
        )
        self.next_button = QPushButton("Next suggested region")
        self.next_button.setToolTip(
            f"Go to where the last segmentation was least sure ({COLLECT_KEYS.key('show_next')})"
        )
        self.message = MessageLine()
        self._body = QWidget()
        self._lay_out()
        self.fold.toggled.connect(self._body.setVisible)
        self.add_button.clicked.connect(self.add_clicked)
        self.next_button.clicked.connect(self.next_clicked)
        self.fold.setChecked(False)
        self._body.setVisible(False)

    def folder(self) -> Path:
        """Folder of the training set.

        Raises
        ------
        ValueError
            When none is chosen.
        """
        folder = self.folder_box.value()
        if folder is None:
            raise ValueError("Choose a folder for the training set first.")
        return folder

    def set_folder(self, folder: Path) -> None:
        """Show a folder."""
        self.folder_box.set_value(folder)

    def set_message(self, text: str, kind: str = "info") -> None:
        """Show one line; ``kind`` is "info", "warning" or "error"."""
        self.message.say(text, kind)

    def _lay_out(self) -> None:
        layout, body = QVBoxLayout(self), QVBoxLayout(self._body)
        for each in (layout, body):
            each.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        form.setHorizontalSpacing(12)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Training set", self.folder_box)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add_button)
        buttons.addWidget(self.next_button)
        body.addWidget(SmallPrint(_EXPLANATION))
        body.addLayout(form)
        body.addLayout(buttons)
        body.addWidget(self.message)
        layout.addWidget(self.fold)
        layout.addWidget(self._body)
