"""Scores as a table, and a legend with the fates of the objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_ssp.widgets.compare.comparing import COLOURS

if TYPE_CHECKING:
    from napari_ssp.metrics import Category
    from napari_ssp.service import Comparison

_MEANINGS = {
    "MATCHED": "Found, with an IoU of at least 0.5",
    "MISSED": "In the truth only",
    "EXTRA": "In the prediction only",
    "SPLIT": "One true object found as several",
    "MERGED": "Several true objects found as one",
}


class ComparisonView(QWidget):
    """Table of scores and legend; setter in: ``set_comparison``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self.texts: dict[str, QLabel] = {}
        self.setVisible(False)

    def set_comparison(self, found: Comparison | None) -> None:
        """Show a comparison, or nothing."""
        if found is not None:
            for name, value in found.scores:
                self._write(name, value, None)
            for category, words in found.fates.items():
                self._write(category.name.capitalize(), words, category)
        self.setVisible(found is not None)

    def _write(self, name: str, value: str, category: Category | None) -> None:
        if name not in self.texts:
            self._add_row(name, category)
        self.texts[name].setText(value)

    def _add_row(self, name: str, category: Category | None) -> None:
        row = self._grid.rowCount()
        label, text = QLabel(name), QLabel()
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if category is not None:
            # Black on these colours reads well in dark and light themes.
            style = f"background: {COLOURS[category]}; color: black; border-radius: 3px;"
            label.setStyleSheet(f"{style} padding: 2px 6px;")
            label.setToolTip(_MEANINGS[category.name])
            text.setToolTip(_MEANINGS[category.name])
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(text, row, 1)
        self.texts[name] = text
