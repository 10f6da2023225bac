"""The Models dock: find, download, import and remove models, and take them to the other docks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPushButton,
    QWidget,
)

from napari_ssp.registry import (
    DownloadError,
    ModelCard,
    is_installed,
    is_users,
    list_catalogue,
    removable,
    remove_model,
    size_words,
)
from napari_ssp.service import AddCatalogueRequest, DownloadModelRequest, ImportModelRequest
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.model_news import model_news
from napari_ssp.widgets.docks.open_dock import dock_for, use_model
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.models.by_hand import ByHand
from napari_ssp.widgets.models.card_page import CardView
from napari_ssp.widgets.models.imports import Imports, read_dropped_paths
from napari_ssp.widgets.models.model_list import ModelList

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari

_PATTERNS = (
    "Models (*.pth *.pt *.p *.safetensors *.zip);;All files (*)"  # as `models import` takes them
)


class ModelsDock(JobDock):
    """Shows what models there are and looks after them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the docks are that use models.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(RunPanel("Download this model; it is verified before use", "Download"))
        self._viewer = own_viewer(napari_viewer)
        self._imports = Imports()
        self.list = ModelList()
        self.view = CardView()
        self.use_button = QPushButton("Use")
        self.import_button = QPushButton("Import…")
        self.remove_button = QPushButton("Remove…")
        self.by_hand = ByHand()
        self.setAcceptDrops(True)
        spec = JobSpec("download", self._propose, self._show_model, recover=self._ask)
        self.drive(JobController(spec, parent=self), self._viewer)
        self._lay_out()
        self._connect()
        self.refresh()

    def cancel(self) -> None:
        """Stop the download or import, and forget what waits; what was loaded is kept."""
        self._imports.clear()
        super().cancel()
        self.update_plan()

    def refresh(self) -> None:
        """Look again which models there are."""
        self.list.set_cards(list_catalogue())

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Import files or folders, one after the other."""
        for path in paths:
            self._imports.add(ImportModelRequest(path))
        self._import_next()

    def add_catalogue(self, place: str) -> None:
        """List what a lab offers: a folder, or an address."""
        if place.strip() and not self.controller.is_running:
            request = AddCatalogueRequest(place.strip())
            self.controller.start(request, self._show_catalogue, noun="catalogue")
            self._show_actions(self.list.card())

    def use(self) -> None:
        """Open the dock that runs the chosen model, with the model in it."""
        card = self.list.card()
        if card is not None:
            use_model(self._viewer, card)

    def remove(self) -> None:
        """Delete the chosen model, after a question."""
        name = self.list.value()
        try:
            card = removable(name)
            words = f"Delete '{name}' ({size_words(card)})?\n\n{card.folder}"
            if self._is_agreed("Remove a model", words):
                remove_model(name)
                model_news().changed.emit()
                self.panel.set_message(f"Removed '{name}'.")
        except (OSError, ValueError) as error:
            self.panel.set_message(error_line(error), "error")

    def show_error(self, error: BaseException | None) -> None:
        """Say why a run failed; of a download also what can be done without a connection."""
        if isinstance(error, DownloadError):
            self.by_hand.set_error(error)
            QTimer.singleShot(0, self._show_by_hand)
            error = ConnectionError(error.reason)
        super().show_error(error)

    def dragEnterEvent(self, event: Any) -> None:
        """Take files and folders of this computer."""
        if read_dropped_paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Import what was dropped."""
        paths = read_dropped_paths(event.mimeData())
        event.acceptProposedAction()
        self.import_paths(paths)

    def _propose(self) -> Proposal:
        card = self.list.card()
        if card is None or is_installed(card):
            return Proposal(None)
        if card.remote is None and not card.members:
            raise ValueError("The card does not say where to download this model. Import its file.")
        return Proposal(DownloadModelRequest(card.name), _download_line(card))

    def _show_catalogue(self, cards: Sequence[ModelCard]) -> None:
        model_news().changed.emit()
        names = ", ".join(card.name for card in cards)
        self.panel.set_message(f"The catalogue offers: {names or 'nothing'}.")

    def _show_model(self, card: ModelCard) -> None:
        model_news().changed.emit()
        self.list.set_value(card.name)
        self.panel.set_message(f"'{card.name}' is installed. {card.description}")

    def _show_card(self) -> None:
        """Show the chosen model, and what can be done with it."""
        card = self.list.card()
        self.view.set_card(card)
        self._show_actions(card)

    def _go_on(self) -> None:
        self._import_next()
        self.update_plan()

    def _ask(self, error: BaseException | None) -> None:
        """Ask for what an import lacks that failed; with that it is tried again."""
        if self._imports.lacks_consent(error):
            words = f"{error_line(error)}\n\nRun the program of this package?"
            if self._is_agreed("Import a program", words):
                self._imports.retry(trusted=True)
                self._import_next()
        elif self._imports.lacks_name(error):
            words, before = f"{error_line(error)}\n\nName:", self._imports.another_name
            echo = QLineEdit.EchoMode.Normal
            name, agreed = QInputDialog.getText(self, "Import a model", words, echo, before)
            if agreed and name:
                self._imports.retry(name=name)
                self._import_next()

    def _is_agreed(self, title: str, words: str) -> bool:
        found = QMessageBox.question(self, title, words)
        return bool(found == QMessageBox.StandardButton.Yes)

    def _import_next(self) -> None:
        request = None if self.controller.is_running else self._imports.next()
        if request is not None:
            self.controller.start(request, self._show_model, noun="import")
            self._show_actions(self.list.card())

    def _show_actions(self, card: ModelCard | None) -> None:
        running = self.controller.is_running
        installed = card is not None and is_installed(card)
        self.panel.run_button.setVisible(not installed or running)
        self.panel.cancel_button.setVisible(not installed or running)
        title = None if card is None else dock_for(card)
        self.use_button.setText(f"Use in {title}" if title else "Use")
        self.use_button.setEnabled(installed and title is not None)
        can_go = card is not None and is_users(card) and not running
        self.remove_button.setEnabled(can_go)
        self.remove_button.setToolTip(
            "Delete this model from the folder of your models"
            if can_go
            else "Only models that you downloaded, imported or trained can be removed"
        )
        self.import_button.setEnabled(not running)

    def _show_by_hand(self) -> None:
        self.column.ensureWidgetVisible(self.by_hand)

    def _forget_error(self) -> None:
        self.by_hand.set_error(None)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import a model", "", _PATTERNS)
        self.import_paths([Path(path)] if path else [])

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Import a model's folder")
        self.import_paths([Path(path)] if path else [])

    def _ask_catalogue(self) -> None:
        words = "Folder or address of a catalogue.json, for example of your lab or facility:"
        place, agreed = QInputDialog.getText(self, "Add a catalogue", words)
        if agreed:
            self.add_catalogue(place)

    def _connect(self) -> None:
        self.controller.started.connect(self._forget_error)
        self.list.changed.connect(self._forget_error)
        self.by_hand.retry_clicked.connect(self.run)
        self.by_hand.import_clicked.connect(self._choose_file)
        self.planned.connect(self._show_card)
        self.done.connect(self._go_on)
        self.list.changed.connect(self.update_plan)
        self.use_button.clicked.connect(self.use)
        self.remove_button.clicked.connect(self.remove)
        model_news().changed.connect(self.refresh)

    def _lay_out(self) -> None:
        menu = QMenu(self.import_button)
        menu.addAction("File…", self._choose_file)
        menu.addAction("Folder…", self._choose_folder)
        menu.addSeparator()
        menu.addAction("Catalogue of a lab…", self._ask_catalogue)
        self.import_button.setMenu(menu)
        self.import_button.setToolTip(
            "A file or folder of a model: .pth, .p, .safetensors, .zip (BioImage.IO, too); or drop "
            "it here. Or the catalogue of a lab"
        )
        self.use_button.setToolTip("Open the dock with this model chosen")
        buttons, row = QWidget(), QHBoxLayout()
        buttons.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.use_button, 2)
        row.addWidget(self.import_button, 1)
        row.addWidget(self.remove_button, 1)
        self.add(self.list, self.view, self.panel, self.by_hand, buttons)


def _download_line(card: ModelCard) -> str:
    size = size_words(card).partition(",")[0] or "of unknown size"
    if card.remote is None:
        return f"To download, {size}, members: {', '.join(card.members)}"
    place = card.remote.page or card.remote.urls[0]
    return f"To download, {size}, from {urlsplit(place).hostname or place}"
