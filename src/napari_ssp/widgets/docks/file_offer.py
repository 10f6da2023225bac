"""Offer to open image files with this plugin, made once, and the way back."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_ssp.widgets.docks.file_opening import (
    AS_BEFORE,
    NOT_ASKED,
    OURS,
    choice,
    choose,
    follow_preferences,
    patterns,
)

_REASON = "napari's own reader drops axes, pixel size and channel names of image files."
_ACCEPT = "Open TIFF, CZI and OME-Zarr with napari-ssp"
_ACCEPTED = "TIFF, CZI and OME-Zarr are opened with napari-ssp."
_WHERE = "Later under Preferences > napari-ssp."


class FileOffer(QWidget):
    """Line with a button; afterwards one with Undo."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.accept_button = QPushButton(_ACCEPT)
        self.accept_button.setToolTip(f"{', '.join(patterns())}. {_WHERE}")
        self.decline_button = QPushButton("No, leave it as it is")
        self.decline_button.setToolTip(_WHERE)
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip(f"Open files as before. {_WHERE}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.words, self.accept_button, self.decline_button, self.undo_button):
            layout.addWidget(part)
        self.accept_button.clicked.connect(self.accept)
        self.decline_button.clicked.connect(self.decline)
        self.undo_button.clicked.connect(self.undo)
        self._show(accepted=False)

    def accept(self) -> None:
        """Open files with the plugin from now on, as the button does."""
        choose(OURS)
        self._show(accepted=True)

    def decline(self) -> None:
        """Leave all as it is, as the button does."""
        self.hide()

    def undo(self) -> None:
        """Open files as before, as the button does."""
        choose(AS_BEFORE)
        self._show(accepted=False)

    def _show(self, *, accepted: bool) -> None:
        self.words.setText(_ACCEPTED if accepted else _REASON)
        self.accept_button.setVisible(not accepted)
        self.decline_button.setVisible(not accepted)
        self.undo_button.setVisible(accepted)


def offer_once() -> FileOffer | None:
    """Make the offer for the first dock that is ever opened; None for all others."""
    follow_preferences()
    if choice() != NOT_ASKED:
        return None
    choose(AS_BEFORE)  # asked, and not again
    return FileOffer()
