"""List of classes: key, colour, name, whether they are wrong, and how many objects they have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.widgets.classes.keys import CLASS_KEYS, KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.service.classes.examples import Examples, ObjectClass

_COLUMNS = ("key", "class", "wrong", "given", "found")
_KEY, _NAME, _WRONG, _GIVEN, _FOUND = range(len(_COLUMNS))
_HELP = {
    _NAME: "Double-click to rename the class",
    _WRONG: "Objects of this class are segmented wrongly: a review shows them first",
    _GIVEN: "Examples that were given",
    _FOUND: "Objects of this class, examples among them",
}
_SHOWN = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_FLAGS = dict.fromkeys(range(len(_COLUMNS)), _SHOWN) | {
    _NAME: _SHOWN | Qt.ItemFlag.ItemIsEditable,
    _WRONG: Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable,
}
_SWATCH = 14  # pixels
_HEIGHT = 170  # pixels


class ClassList(QWidget):
    """Table of classes and its buttons; knows neither the viewer nor the service.

    Setters in: ``set_classes``, ``set_found``, ``choose``. Signals out: ``add_clicked``;
    ``remove_clicked(name)``; ``edited(name, ObjectClass)``, when a person has changed a class.
    """

    add_clicked = Signal()
    remove_clicked = Signal(str)
    edited = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes: tuple[ObjectClass, ...] = ()
        self.table = QTableWidget(0, len(_COLUMNS))
        self.add_button, self.remove_button = QPushButton("Add"), QPushButton("Remove")
        self.color_button = QPushButton("Colour…")
        self.add_button.setToolTip("Add a class")
        self.remove_button.setToolTip("Remove the chosen class and its examples")
        self.color_button.setToolTip("Choose the colour of the chosen class")
        self._set_up_table()
        self._lay_out()
        self.table.itemChanged.connect(self._edit)
        self.add_button.clicked.connect(self._add)
        self.remove_button.clicked.connect(self._remove)
        self.color_button.clicked.connect(self._ask_color)

    def set_classes(self, examples: Examples) -> None:
        """Show classes, and how many examples each has."""
        chosen = self.chosen()
        self._classes = examples.classes
        count = examples.count()
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(self._classes))
            for row, each in enumerate(self._classes):
                self._fill(row, each, count[each.name])
        self.choose(chosen)
        for button in (self.remove_button, self.color_button):
            button.setEnabled(bool(self._classes))

    def set_found(self, count: Mapping[str, int]) -> None:
        """Show how many objects each class has; nothing where that is not known."""
        with QSignalBlocker(self.table):
            for row, each in enumerate(self._classes):
                self._cell(row, _FOUND).setText(str(count.get(each.name, 0)) if count else "")

    def chosen(self) -> str:
        """Class that is chosen; "" without one."""
        row = self.table.currentRow()
        return self._classes[row].name if 0 <= row < len(self._classes) else ""

    def choose(self, name: str) -> None:
        """Choose a class; the first one where there is none of that name."""
        names = [each.name for each in self._classes]
        if names:
            self.table.setCurrentCell(names.index(name) if name in names else 0, _NAME)

    def choose_color(self, color: str) -> None:
        """Give the chosen class a colour."""
        known = next((each for each in self._classes if each.name == self.chosen()), None)
        if known is not None:
            self.edited.emit(known.name, replace(known, color=color))

    def _fill(self, row: int, each: ObjectClass, given: int) -> None:
        picture = QPixmap(_SWATCH, _SWATCH)
        picture.fill(QColor(each.color))
        self._cell(row, _KEY).setIcon(QIcon(picture))
        self._cell(row, _KEY).setText(CLASS_KEYS.key(f"give_{row + 1}") if row < KEYS else "")
        self._cell(row, _NAME).setText(each.name)
        state = Qt.CheckState.Checked if each.is_wrong else Qt.CheckState.Unchecked
        self._cell(row, _WRONG).setCheckState(state)
        self._cell(row, _GIVEN).setText(str(given))

    def _cell(self, row: int, column: int) -> QTableWidgetItem:
        """Cell of the table; an edited one must not be replaced while it tells of that."""
        found = self.table.item(row, column)
        if found is None:
            found = QTableWidgetItem()
            found.setFlags(_FLAGS[column])
            found.setToolTip(_HELP.get(column, ""))
            self.table.setItem(row, column, found)
        return found

    def _edit(self, item: Any) -> None:
        known = self._classes[item.row()]
        if item.column() == _NAME:
            self.edited.emit(known.name, replace(known, name=item.text().strip() or known.name))
        elif item.column() == _WRONG:
            is_wrong = item.checkState() == Qt.CheckState.Checked
            self.edited.emit(known.name, replace(known, is_wrong=is_wrong))

    def _add(self) -> None:
        self.add_clicked.emit()

    def _remove(self) -> None:
        if self.chosen():
            self.remove_clicked.emit(self.chosen())

    def _ask_color(self) -> None:
        known = next((each for each in self._classes if each.name == self.chosen()), None)
        if known is not None:
            color = QColorDialog.getColor(QColor(known.color), self, f"Colour of {known.name}")
            if color.isValid():
                self.choose_color(color.name())

    def _set_up_table(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(_COLUMNS)
        for column, words in _HELP.items():
            header: Any = table.horizontalHeaderItem(column)
            header.setToolTip(words)
        rows: Any = table.verticalHeader()
        rows.setVisible(False)
        columns: Any = table.horizontalHeader()
        columns.setSectionResizeMode(columns.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(_NAME, columns.ResizeMode.Stretch)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setMinimumHeight(_HEIGHT)
        table.setToolTip("Classes; the chosen one is given by a click")

    def _lay_out(self) -> None:
        column, row = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        for button in (self.add_button, self.remove_button, self.color_button):
            row.addWidget(button)
        column.addLayout(row)
