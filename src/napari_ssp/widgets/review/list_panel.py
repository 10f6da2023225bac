"""List of the objects of a review, the worst first, and the buttons that decide about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.service.review.decisions import Decision
from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.forms.wrapped_label import SmallPrint
from napari_ssp.widgets.review.list_model import ReviewListModel

if TYPE_CHECKING:
    from napari_ssp.service import Review

_HEIGHT = 260  # pixels, as many rows as fit
# Rows that the widths of columns are fitted to; of all of them that would be felt.
_WIDTHS_OF = 50


class ListPanel(QWidget):
    """List with buttons; knows neither the viewer nor the service.

    Setters in: ``set_review``, ``choose``, ``set_note``. Signals out: ``picked(row)``, when a
    person has gone to a row; ``decided(Decision)``; ``accept_all_clicked``.
    """

    picked = Signal(int)
    decided = Signal(object)
    accept_all_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = ReviewListModel(self)
        self.view = _make_view(self.model)
        self.note, self.guarantee = MessageLine(), SmallPrint("")
        self.previous_button = QPushButton("◀ Previous")
        self.next_button = QPushButton("Next ▶")
        self.accept_button = QPushButton("✓ Accept")
        self.reject_button = QPushButton("✗ Reject")
        self.edit_button = QPushButton("✎ Edit")
        self.accept_all_button = QPushButton("Accept by calibration")
        self.accept_all_button.setToolTip("Accept the objects that are right at the chosen share")
        self._lay_out()
        self._connect()
        self.set_review(None)

    def set_review(self, review: Review | None) -> None:
        """Show the objects of a review; without one the panel is hidden."""
        self.model.set_review(review)
        header: Any = self.view.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        header.setResizeContentsPrecision(_WIDTHS_OF)
        header.setStretchLastSection(True)
        self.view.resizeColumnsToContents()
        self.setVisible(review is not None)
        self.show_guarantee(review)

    def show_guarantee(self, review: Review | None) -> None:
        """Offer to accept what the calibration allows, and say what that means."""
        count = self.model.count_to_accept()
        share = None if review is None else review.wrong_share
        self.accept_all_button.setVisible(share is not None)
        self.guarantee.setVisible(share is not None)
        if share is not None:
            self.accept_all_button.setText(f"Accept {count} objects by calibration")
            self.accept_all_button.setEnabled(count > 0)
            self.guarantee.setText(
                f"Of the objects accepted so, on average at most {share:.0%} are wrong (IoU below "
                "0.5). This holds only where your objects are exchangeable with those of the "
                "calibration: the same kind of cells, images and segmentation."
            )

    def choose(self, row: int) -> None:
        """Go to a row, without telling that a person has."""
        with QSignalBlocker(self.view.selectionModel()):
            self.view.selectRow(row)
            self.view.scrollTo(self.model.index(row, 0))
        viewport: Any = self.view.viewport()
        viewport.update()

    def row(self) -> int:
        """Row that is chosen; -1 without one."""
        index: Any = self.view.currentIndex()
        return int(index.row()) if index.isValid() else -1

    def set_note(self, text: str) -> None:
        """Say something about the chosen object, or about all of them."""
        self.note.say(text)

    def _pick(self, index: Any, *_: Any) -> None:
        if index.isValid():
            self.picked.emit(index.row())

    def _connect(self) -> None:
        selection: Any = self.view.selectionModel()
        selection.currentRowChanged.connect(self._pick)
        self.view.clicked.connect(self._pick)
        self.accept_button.clicked.connect(self._accept)
        self.reject_button.clicked.connect(self._reject)
        self.edit_button.clicked.connect(self._edit)
        self.accept_all_button.clicked.connect(self.accept_all_clicked)

    def _accept(self) -> None:
        self.decided.emit(Decision.ACCEPTED)

    def _reject(self) -> None:
        self.decided.emit(Decision.REJECTED)

    def _edit(self) -> None:
        self.decided.emit(Decision.EDITED)

    def _lay_out(self) -> None:
        column, buttons = QVBoxLayout(self), QGridLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        column.addWidget(self.note)
        for i, button in enumerate((self.previous_button, self.next_button)):
            buttons.addWidget(button, 0, 3 * i, 1, 3)
        for i, button in enumerate((self.accept_button, self.reject_button, self.edit_button)):
            buttons.addWidget(button, 1, 2 * i, 1, 2)
        column.addLayout(buttons)
        column.addWidget(self.accept_all_button)
        column.addWidget(self.guarantee)


def _make_view(model: ReviewListModel) -> QTableView:
    view = QTableView()
    view.setModel(model)
    view.setSortingEnabled(True)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setMinimumHeight(_HEIGHT)
    view.setToolTip("Objects, the worst first; a click shows one in the viewer")
    header: Any = view.verticalHeader()
    header.setVisible(False)
    return view
