"""The Review form: a plain widget that shows and edits one ReviewChoices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from napari_ssp.widgets.forms.fields import ChoiceBox, Editor
from napari_ssp.widgets.forms.model_form import ChoiceForm
from napari_ssp.widgets.review.choices import ReviewChoices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.schema import FieldDescription

_PLAIN = ("model", "channel")
_AUTOMATIC = (
    "Automatic",
    None,
    "The critic that knows the model that made the labels, else critic-starter",
)
_ADVANCED = ("wrong_share", "calibration", "overlap", "device", "compute")


class ReviewForm(ChoiceForm):
    """Form of what is reviewed, and how.

    Setters in: those of :class:`ChoiceForm`.

    Attributes
    ----------
    labels_box, image_box, truth_box : ChoiceBox
        Layers; the connected dock fills them.
    """

    value_type = ReviewChoices

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.labels_box = ChoiceBox("Labels layer to review, of any origin; follows the selection")
        self.image_box = ChoiceBox("Image that the labels are of")
        self.truth_box = ChoiceBox("Labels layer that is right, to see how good the critic is here")
        self._add_numbers("wrong_share", "overlap")
        box = CalibrationBox(self._fields["calibration"])
        box.changed.connect(self.changed)
        self._editors["calibration"] = Editor(box, box.value, box.set_value)
        self._lay_out(_PLAIN, _ADVANCED)
        self.insert_first_row("Image", self.image_box)
        self.insert_first_row("Labels", self.labels_box)
        self._form.insertRow(self._form.rowCount(), "Truth", self.truth_box)
        self._show_advanced()
        self.set_channels(())

    def set_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer critics, each by name and description, and to leave the choice to the plan."""
        offered = [(name, name, description) for name, description in models]
        self._offer_models([_AUTOMATIC, *offered] if offered else [])

    def has_critics(self) -> bool:
        """Whether any critic is on offer."""
        return bool(self._model.values())

    def _show_advanced(self) -> None:
        super()._show_advanced()
        if self.truth_box.parent() is not None:  # else the rows are being laid out
            self._form.setRowVisible(self.truth_box, self._toggle.isChecked())


class CalibrationBox(QWidget):
    """Name of a calibration's file, and a button that asks for one.

    Setter in: ``set_value``. Signal out: ``changed``.

    Parameters
    ----------
    item : FieldDescription
        Its help is the tooltip.
    """

    changed = Signal()

    def __init__(self, item: FieldDescription, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.edit, self.button = QLineEdit(), QPushButton("…")
        self.edit.setPlaceholderText("the critic's own")
        self.edit.setToolTip(item.help)
        self.button.setToolTip("Choose a file that 'napari-ssp review --calibrate' has written")
        self.button.setMaximumWidth(32)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.edit, 1)
        row.addWidget(self.button)
        self.edit.editingFinished.connect(self.changed)
        self.button.clicked.connect(self._ask)

    def value(self) -> str | None:
        """Path of the file; None for the critic's own."""
        return self.edit.text().strip() or None

    def set_value(self, path: str | None) -> None:
        """Show a path."""
        if path != self.value():
            self.edit.setText(path or "")
            self.changed.emit()

    def _ask(self) -> None:
        start = str(Path(self.value() or Path.home()))
        path, _ = QFileDialog.getOpenFileName(self, "Calibration", start, "Calibration (*.json)")
        if path:
            self.set_value(path)
