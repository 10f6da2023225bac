"""A way out when a model cannot be downloaded: try again, or get its file by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_ssp.widgets.docks.message_line import MessageLine

if TYPE_CHECKING:
    from napari_ssp.registry import DownloadError


class ByHand(QWidget):
    """Steps to a model's file without a connection here.

    Setter in: ``set_error``. Signals out: ``retry_clicked``, ``import_clicked``.
    """

    retry_clicked = Signal()
    import_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steps = MessageLine()
        self.address = QLineEdit()
        self.address.setReadOnly(True)
        self.address.setToolTip("Where a browser finds the file")
        self.retry_button = QPushButton("Retry")
        self.copy_button = QPushButton("Copy address")
        self.import_button = QPushButton("Import file…")
        self.retry_button.setToolTip("Ask for the file again")
        self.copy_button.setToolTip("Copy the address of the file, for a browser or a message")
        self.import_button.setToolTip("Choose the file that you got by hand")
        self.retry_button.clicked.connect(self.retry_clicked)
        self.copy_button.clicked.connect(self._copy)
        self.import_button.clicked.connect(self.import_clicked)
        self._lay_out()
        self.set_error(None)

    def set_error(self, error: DownloadError | None) -> None:
        """Show what can be done after a download failed; None hides it."""
        self.setVisible(error is not None)
        if error is not None:
            self.steps.say(error.by_hand)
            self.address.setText(error.address)
            self.address.setCursorPosition(0)
        has_address = error is not None and bool(error.address)
        for part in (self.address, self.copy_button):
            part.setVisible(has_address)

    def _copy(self) -> None:
        clipboard: Any = QGuiApplication.clipboard()
        clipboard.setText(self.address.text())

    def _lay_out(self) -> None:
        column, row = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        for button in (self.retry_button, self.copy_button, self.import_button):
            row.addWidget(button)
        column.addLayout(row)
        column.addWidget(self.steps)
        column.addWidget(self.address)
