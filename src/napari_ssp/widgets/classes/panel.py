"""Controls of the Classes dock: layers, classes, and what is done with a click or a key."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.widgets.classes.class_list import ClassList
from napari_ssp.widgets.classes.keys import CLASS_KEYS
from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.forms.wrapped_label import SmallPrint, WrappedLabel

_EXPLANATION = (
    "Give a few objects of each class as examples. The others get the class that they are most "
    "like, by size, shape and intensities."
)
HINT = (
    "Point at an object and press the key of a class, or click on it for the chosen class. Keys "
    "1 to 9 are those of the classes until this button is released."
)


class ClassesPanel(QWidget):
    """Column of the dock; knows neither the viewer nor the service."""

    def __init__(self) -> None:
        super().__init__()
        self.labels_box = ChoiceBox("Labels layer whose objects get classes; follows the selection")
        self.image_box = ChoiceBox("Image whose intensities tell the objects apart")
        self.planewise = QCheckBox("Planes one by one")
        self.planewise.setToolTip("A class for each object and plane, instead of whole volumes")
        self.planewise.setVisible(False)
        self.list = ClassList()
        self.give_button = QPushButton("Give classes")
        self.give_button.setCheckable(True)
        self.give_button.setToolTip("Give classes by the keys 1 to 9 and by clicks on the objects")
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip(CLASS_KEYS.words("undo"))
        self.colour_box = QCheckBox("Colour objects by class")
        self.colour_box.setToolTip("Examples in full colour, predicted ones paler")
        self.colour_box.setChecked(True)
        self.learn_button = QPushButton("Learn from another image…")
        self.learn_button.setToolTip("Add the examples of a file that was kept of another image")
        self.hint, self.message = WrappedLabel(), MessageLine()
        self._lay_out()

    def set_hint(self, is_giving: bool) -> None:
        """Say what keys and clicks do, while they give classes."""
        self.hint.setText(HINT if is_giving else "")
        self.hint.setVisible(is_giving)

    def _lay_out(self) -> None:
        column, form, row = QVBoxLayout(self), QFormLayout(), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Labels", self.labels_box)
        form.addRow("Intensities in", self.image_box)
        form.addRow(self.planewise)
        row.addWidget(self.give_button)
        row.addWidget(self.undo_button)
        column.addWidget(SmallPrint(_EXPLANATION))
        column.addLayout(form)
        column.addWidget(self.list)
        column.addLayout(row)
        for part in (self.hint, self.message, self.colour_box, self.learn_button):
            column.addWidget(part)
        self.set_hint(False)
