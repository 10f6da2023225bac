"""A line that says that thresholds are not the model's defaults, with the way back."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_ssp.widgets.forms.wrapped_label import WrappedLabel


class DefaultsNote(QWidget):
    """Line and button; setter in: ``set_text``. Signal out: ``defaults_clicked``."""

    defaults_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = WrappedLabel()
        self.button = QPushButton("Model's defaults")
        self.button.setToolTip("Segment the next image with the thresholds that models begin with")
        self.button.clicked.connect(self.defaults_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.button)

    def set_text(self, text: str) -> None:
        """Say what the thresholds are."""
        self.label.setText(text)
