"""The file that the labels of a large image are written to: whether, where, and over what."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QLineEdit, QToolButton, QWidget

from napari_ssp.io.scene import is_zarr_name
from napari_ssp.service.blocks.unfinished import unfinished_folder

_WRITE = "Large image: write the result as it is made"
_WRITE_HELP = (
    "Labels go to an OME-Zarr block by block: they can be seen meanwhile, memory stays small, and "
    "what is finished is kept after Cancel. Without it all is done in memory, in one piece"
)
_PATH_HELP = "OME-Zarr that the labels are written to; a name that ends with .zarr"
_OVERWRITE_HELP = "Replace the result of this name, or an unfinished one of other settings"


class ResultFile(QWidget):
    """Choice of a file for the labels; knows neither the viewer nor the service.

    Setter in: ``offer``. Signal out: ``changed``.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: Path | None = None
        self.write_box = QCheckBox(_WRITE)
        self.write_box.setToolTip(_WRITE_HELP)
        self.write_box.setChecked(True)
        self.line = QLineEdit()
        self.line.setToolTip(_PATH_HELP)
        self.choose_button = QToolButton()
        self.choose_button.setText("…")
        self.choose_button.setToolTip("Choose another name or folder for the labels")
        self.overwrite_box = QCheckBox("Overwrite what is there")
        self.overwrite_box.setToolTip(_OVERWRITE_HELP)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.write_box, 0, 0, 1, 2)
        layout.addWidget(self.line, 1, 0)
        layout.addWidget(self.choose_button, 1, 1)
        layout.addWidget(self.overwrite_box, 2, 0, 1, 2)
        self.write_box.toggled.connect(self.changed)
        self.overwrite_box.toggled.connect(self.changed)
        self.line.textChanged.connect(self._forget_permission)
        self.choose_button.clicked.connect(self._ask)
        self.offer(None)

    def offer(self, path: Path | None) -> None:
        """Offer a file, which may be replaced by a person's own choice; None offers none."""
        self.setVisible(path is not None)
        if path != self._offered:
            self._offered = path
            self.line.setText("" if path is None else str(path))
        self._show_rows()

    def value(self) -> tuple[Path, bool] | None:
        """File, and whether what is there is replaced; None where labels stay in memory.

        Raises
        ------
        ValueError
            When the name is none of an OME-Zarr.
        """
        if self._offered is None or not self.write_box.isChecked():
            return None
        path = self._path()
        if not path.is_absolute() or not is_zarr_name(path):
            raise ValueError(
                f"'{path}' is no name for the labels. Give a folder and a name that ends with "
                f".zarr, e.g. '{self._offered}'."
            )
        return path, self.overwrite_box.isChecked()

    def _path(self) -> Path:
        return Path(self.line.text().strip()).expanduser()

    def _show_rows(self) -> None:
        writes = self.write_box.isChecked()
        self.line.setVisible(writes)
        self.choose_button.setVisible(writes)
        path = self._path()
        is_there = path.name != "" and (path.exists() or unfinished_folder(path).exists())
        self.overwrite_box.setVisible(writes and is_there)

    def _forget_permission(self) -> None:
        """Take back that something is overwritten: it was said of another name."""
        self.overwrite_box.setChecked(False)
        self.changed.emit()

    def _ask(self) -> None:
        text, _ = QFileDialog.getSaveFileName(
            self, "Write the labels to", self.line.text(), "OME-Zarr (*.zarr)"
        )
        if text:
            self.line.setText(text)
