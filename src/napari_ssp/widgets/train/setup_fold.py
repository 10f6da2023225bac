"""Fold of what a training is made of, closed while it runs."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ssp.widgets.forms.editor_form import FoldButton

_SPACING = 10  # as between the parts of a dock


class SetupFold(QWidget):
    """Title that opens and closes the parts below it; open at first.

    Parameters
    ----------
    parts : QWidget
        What is chosen before a training begins.
    """

    def __init__(self, *parts: QWidget) -> None:
        super().__init__()
        tooltip = "What is trained on what; closed while a training runs"
        self.fold = FoldButton("Model and data", tooltip)
        self._body = QWidget()
        layout, inner = QVBoxLayout(self), QVBoxLayout(self._body)
        for each in (layout, inner):
            each.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(_SPACING)
        for part in parts:
            inner.addWidget(part)
        layout.addWidget(self.fold)
        layout.addWidget(self._body)
        self.fold.toggled.connect(self._body.setVisible)
        self.fold.setChecked(True)
