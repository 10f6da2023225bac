"""Model of a table of objects for Qt's table view: columns of numbers, sorted by any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

if TYPE_CHECKING:
    from napari_ssp.measure import Table

_NOWHERE = QModelIndex()


class ObjectTableModel(QAbstractTableModel):
    """Rows are objects, in the order that was last sorted; setter in: ``set_table``."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._table: Table = {"label": np.zeros(0, np.int64)}
        self._order = np.zeros(0, np.intp)

    def set_table(self, table: Table) -> None:
        """Show a table, in its own order."""
        self.beginResetModel()
        self._table = table
        self._order = np.arange(len(table["label"]))
        self.endResetModel()

    def label(self, row: int) -> int:
        """Label of the object in a row on display."""
        return int(self._table["label"][self._order[row]])

    def values(self, row: int) -> dict[str, float]:
        """Numbers of a row on display, by their columns' names."""
        columns = {n: column for n, column in self._table.items() if column.dtype.kind in "iuf"}
        return {name: column[self._order[row]].item() for name, column in columns.items()}

    def rows(self, label: int) -> list[int]:
        """Rows on display of an object: several where it was measured in planes or frames."""
        found: list[int] = np.flatnonzero(self._table["label"][self._order] == label).tolist()
        return found

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Count the objects."""
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Count what was measured, the label included."""
        return 0 if parent.isValid() else len(self._table)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell; numbers stand to the right."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return _text(self._column(index.column())[self._order[index.row()]])

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name of a column, also as the tooltip."""
        is_name = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
        if orientation == Qt.Orientation.Horizontal and is_name:
            return list(self._table)[section]
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; unknown numbers come last."""
        if not 0 <= column < len(self._table):
            return
        self.layoutAboutToBeChanged.emit()
        values = self._column(column)
        found = np.argsort(values, kind="stable")
        known = int(np.sum(values == values))  # nan is not itself
        if order == Qt.SortOrder.DescendingOrder:
            found = np.concatenate([found[:known][::-1], found[known:]])
        self._order = found
        self.layoutChanged.emit()

    def _column(self, column: int) -> Any:
        return list(self._table.values())[column]


def _text(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)
