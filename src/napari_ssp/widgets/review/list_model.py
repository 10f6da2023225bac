"""List of reviewed objects for Qt's table view: object, place, predicted error, decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from napari_ssp.service.review.decisions import Decision, ObjectKey
from napari_ssp.widgets.measure.table_model import ObjectTableModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_ssp.service import Review

_DECISION = "decision"
_HEADERS = {
    "label": "object",
    "predicted_error": "error",
    "likely": "likely",
    "accepted": "calibrated",
}
_SHOWN = ("label", "t", "z", "predicted_error", "likely", "class")
_ACCEPTABLE = "can be accepted"
#: Dark enough for white letters, and told apart by people with any colour vision; words say it too.
_COLOURS = {
    Decision.ACCEPTED: QColor("#00684b"),
    Decision.REJECTED: QColor("#9c4500"),
    Decision.EDITED: QColor("#2a62c4"),
}


class ReviewListModel(ObjectTableModel):
    """Rows are objects in planes, the worst first until another order is chosen.

    Setters in: ``set_review``, ``set_decisions``, ``set_decision``.
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._by_label, self._labels = np.zeros(0, np.intp), np.zeros(0, np.int64)
        self.set_review(None)

    def set_review(self, review: Review | None) -> None:
        """Show the objects of a review, none of them decided."""
        known = {"label": np.zeros(0, np.int64)} if review is None else review.table
        names = [name for name in _SHOWN if name in known]
        table: dict[str, Any] = {name: known[name] for name in names}
        if "accepted" in known:
            table["accepted"] = np.where(known["accepted"], _ACCEPTABLE, "").astype(object)
        table[_DECISION] = np.full(len(table["label"]), "", object)
        self._by_label = np.argsort(table["label"], kind="stable")
        self._labels = table["label"][self._by_label]
        self.set_table(table)

    def set_decisions(self, decisions: Mapping[ObjectKey, Decision]) -> None:
        """Show all decisions; objects without one have none."""
        column = self._table[_DECISION]
        column[:] = ""
        if decisions:
            rows = {self._key(row): row for row in self._decided_rows(decisions)}
            for key in rows.keys() & decisions.keys():
                column[rows[key]] = decisions[key].value
        self._tell(0, len(column) - 1)

    def set_decision(self, key: ObjectKey, decision: Decision | None) -> None:
        """Show what was decided about an object."""
        found = self._find(key)
        if found >= 0:
            self._table[_DECISION][found] = "" if decision is None else decision.value
            row = self.row_of(key)
            self._tell(row, row)

    def key(self, row: int) -> ObjectKey:
        """Object of a row on display."""
        return self._key(int(self._order[row]))

    def source_row(self, row: int) -> int:
        """Row of the review's table that is shown in a row on display."""
        return int(self._order[row])

    def row_of(self, key: ObjectKey) -> int:
        """Row on display of an object; -1 where it has none."""
        found = self._find(key)
        return -1 if found < 0 else int(np.flatnonzero(self._order == found)[0])

    def next_undecided(self, row: int) -> int:
        """Row on display of the next object without a decision, from the top after the last.

        Returns
        -------
        int
            -1 where all are decided.
        """
        is_open = np.flatnonzero(self._table[_DECISION][self._order] == "")
        later = is_open[is_open > row]
        found = later if later.size else is_open
        return int(found[0]) if found.size else -1

    def count_to_accept(self) -> int:
        """How many objects without a decision the calibration lets accept."""
        return int(self._to_accept().sum())

    def keys_to_accept(self) -> list[ObjectKey]:
        """Objects without a decision that the calibration lets accept."""
        return [self._key(row) for row in np.flatnonzero(self._to_accept()).tolist()]

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell; decisions are coloured."""
        name = list(self._table)[index.column()]
        value = self._table[name][self._order[index.row()]]
        if name == _DECISION and role == Qt.ItemDataRole.BackgroundRole and value:
            return _COLOURS[Decision(value)]
        if name == _DECISION and role == Qt.ItemDataRole.ForegroundRole and value:
            return QColor("white")
        if name == "predicted_error" and role == Qt.ItemDataRole.DisplayRole:
            return f"{value:.2f}"
        return super().data(index, role)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name of a column, in words."""
        found = super().headerData(section, orientation, role)
        return _HEADERS.get(found, found)

    def _to_accept(self) -> NDArray[np.bool_]:
        allowed = self._table.get("accepted", self._table[_DECISION] != self._table[_DECISION])
        return np.asarray(allowed.astype(bool) & (self._table[_DECISION] == ""))

    def _decided_rows(self, decisions: Mapping[ObjectKey, Decision]) -> list[int]:
        """Rows of the review's table whose label is that of a decision."""
        labels = np.array([key.label for key in decisions])
        rows: list[int] = np.flatnonzero(np.isin(self._table["label"], labels)).tolist()
        return rows

    def _key(self, source: int) -> ObjectKey:
        """Object of a row of the review's table."""
        parts = (self._table[name][source] if name in self._table else 0 for name in "tz")
        return ObjectKey(int(self._table["label"][source]), *map(int, parts))

    def _find(self, key: ObjectKey) -> int:
        """Row of the review's table of an object; -1 where it has none."""
        first = np.searchsorted(self._labels, key.label, "left")
        last = np.searchsorted(self._labels, key.label, "right")
        rows = self._by_label[first:last].tolist()
        return next((row for row in rows if self._key(row) == key), -1)

    def _tell(self, first: int, last: int) -> None:
        column = list(self._table).index(_DECISION)
        if 0 <= first <= last:
            self.dataChanged.emit(self.index(first, column), self.index(last, column))
