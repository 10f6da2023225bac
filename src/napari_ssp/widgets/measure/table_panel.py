"""Table of objects below the canvas: what was measured, and whether it still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.widgets.docks.dock_widget import WindowWidget
from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.forms.wrapped_label import WrappedLabel
from napari_ssp.widgets.measure.table_model import ObjectTableModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.measure import Table

# Rows that the widths of columns are fitted to; of all of them that would be felt.
_WIDTHS_OF = 50


class TablePanel(WindowWidget):
    """Table with a line above it; knows neither the viewer nor the service.

    Setters in: ``set_table``, ``set_old``, ``set_note``, ``choose``. Signals out:
    ``picked(label)``, when a person has gone to a row; ``measure_clicked``; ``left``.
    """

    picked = Signal(object)
    measure_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.note, self.warning = WrappedLabel(), MessageLine(), MessageLine()
        self.again_button = QPushButton("Measure again")
        self.again_button.setToolTip("Bring the table up to date with the labels")
        self.model = ObjectTableModel(self)
        self.view = _View()
        self.view.setModel(self.model)
        self._lay_out()
        self.again_button.clicked.connect(self.measure_clicked)
        selection: Any = self.view.selectionModel()
        selection.currentRowChanged.connect(self._pick)
        self.view.clicked.connect(self._pick)
        self.set_old(False)

    def set_table(self, table: Table) -> None:
        """Show a table of a layer's objects."""
        self.model.set_table(table)
        header: Any = self.view.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # as it was measured
        header.setResizeContentsPrecision(_WIDTHS_OF)
        self.view.resizeColumnsToContents()

    def set_old(self, old: bool) -> None:
        """Say whether the labels were changed after they were measured."""
        text = "The labels were changed after they were measured." if old else ""
        self.warning.say(text, "warning")
        self.again_button.setVisible(old)

    def set_note(self, text: str) -> None:
        """Say something about the chosen object."""
        self.note.say(text)

    def choose(self, label: int, near: Mapping[str, int]) -> None:
        """Go to an object's row; of several to that of the planes and frames on display.

        Parameters
        ----------
        label : int
            Label of the object; without a row nothing is chosen.
        near : mapping of str to int
            Positions along t and z.
        """
        rows = self.model.rows(label)
        with QSignalBlocker(self.view.selectionModel()):
            self.view.clearSelection()
            if rows:
                row = min(rows, key=lambda row: _distance(self.model.values(row), near))
                self.view.selectRow(row)
                self.view.scrollTo(self.model.index(row, 0))
        viewport: Any = self.view.viewport()
        viewport.update()

    def _pick(self, index: Any, *_: Any) -> None:
        if index.isValid():
            self.picked.emit(self.model.label(index.row()))

    def _lay_out(self) -> None:
        layout, line = QVBoxLayout(self), QHBoxLayout()
        layout.setContentsMargins(4, 4, 4, 4)
        line.addWidget(self.title, 1)
        line.addWidget(self.note, 1)
        line.addWidget(self.warning, 1)
        line.addWidget(self.again_button)
        layout.addLayout(line)
        layout.addWidget(self.view, 1)


class _View(QTableView):
    def __init__(self) -> None:
        super().__init__()
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setToolTip("A click shows the object; a click on it in the viewer finds its row")
        header: Any = self.verticalHeader()
        header.setVisible(False)

    def keyPressEvent(self, event: Any) -> None:
        """Copy the chosen rows, with the names of the columns, for a spreadsheet."""
        if not event.matches(QKeySequence.StandardKey.Copy):
            super().keyPressEvent(event)
            return
        model: Any = self.model()
        rows = sorted({index.row() for index in self.selectedIndexes()})
        columns = range(model.columnCount())
        lines = [[model.headerData(c, Qt.Orientation.Horizontal) for c in columns]]
        lines += [[model.data(model.index(row, c)) for c in columns] for row in rows]
        clipboard: Any = QGuiApplication.clipboard()
        clipboard.setText("\n".join("\t".join(line) for line in lines))


def _distance(values: Mapping[str, float], near: Mapping[str, int]) -> float:
    return sum(abs(values[axis] - place) for axis, place in near.items() if axis in values)
