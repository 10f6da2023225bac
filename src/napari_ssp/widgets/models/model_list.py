"""A list of models with a search line; a plain widget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_ssp.registry import is_installed, matches, size_words, task_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.registry import ModelCard

_ROWS = 4.75  # then it scrolls
_NAME_ROLE = Qt.ItemDataRole.UserRole


class ModelList(QWidget):
    """Models by name, with what they do and whether they are installed.

    Setters in: ``set_cards``, ``set_value``. Signal out: ``changed``, when another model is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: list[ModelCard] = []
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search: cells, dna, MIT, a name …")
        self.search.setClearButtonEnabled(True)
        self.search.setToolTip("Shows models whose card has all of these words")
        self.search.setAcceptDrops(False)  # a dropped file is a model, not a word
        self.entries = QListWidget()
        self.entries.setToolTip("Models that are installed or can be had; a click shows the card")
        self.nothing = QLabel("No model has these words on its card.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.search, self.entries, self.nothing):
            layout.addWidget(widget)
        self.search.textChanged.connect(self._fill)
        self.entries.currentItemChanged.connect(self._pass_change)
        self._fill()

    def changeEvent(self, event: Any) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_rows()

    def set_cards(self, cards: Sequence[ModelCard]) -> None:
        """Show models; the chosen one stays chosen where it is still there."""
        self._cards = list(cards)
        self._fill()

    def value(self) -> str:
        """Name of the chosen model; empty without one."""
        item = self.entries.currentItem()
        return str(item.data(_NAME_ROLE)) if item is not None else ""

    def set_value(self, name: str) -> None:
        """Choose a model, also one that the search has hidden."""
        if name not in self._names() and any(card.name == name for card in self._cards):
            self.search.clear()
        if name in self._names():
            self.entries.setCurrentRow(self._names().index(name))
            self.entries.scrollToItem(self.entries.currentItem())

    def card(self) -> ModelCard | None:
        """Card of the chosen model; None without one."""
        name = self.value()
        return next((card for card in self._cards if card.name == name), None)

    def _names(self) -> list[str]:
        items = (self._item(row) for row in range(self.entries.count()))
        return [str(item.data(_NAME_ROLE)) for item in items]

    def _item(self, row: int) -> Any:
        return self.entries.item(row)

    def _fit_rows(self) -> None:
        """Give each entry room for its two lines."""
        self.entries.ensurePolished()
        row = 2 * self.entries.fontMetrics().lineSpacing() + 8
        for index in range(self.entries.count()):
            item: Any = self.entries.item(index)
            item.setSizeHint(QSize(0, row))
        self.entries.setFixedHeight(round(_ROWS * row))

    def _fill(self) -> None:
        """List the models that have the words; of those the chosen one, or the first."""
        before = self.value()
        words = self.search.text().split()
        found = [card for card in self._cards if matches(card, words)]
        self.entries.blockSignals(True)
        self.entries.clear()
        for card in found:
            item = QListWidgetItem(f"{card.name}\n{_second_line(card)}")
            item.setData(_NAME_ROLE, card.name)
            item.setToolTip(card.description)
            self.entries.addItem(item)
        self._fit_rows()
        names = self._names()
        self.entries.setCurrentRow(names.index(before) if before in names else 0)
        self.entries.blockSignals(False)
        self.nothing.setVisible(bool(words) and not found)
        self._pass_change()

    def _pass_change(self) -> None:
        self.changed.emit()


def _second_line(card: ModelCard) -> str:
    state = "installed" if is_installed(card) else "to download"
    size = size_words(card).partition(",")[0]
    return " · ".join(part for part in (task_words(card), state, size) if part)
