"""Labels of several lines that get the height that they need, and never widen their dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QLabel, QWidget

_NARROWEST = 120  # pixels, before it has a place


class WrappedLabel(QLabel):
    """Plain text that breaks into lines; a layout inside a form's row would cut some off.

    Words that are longer than a line, as addresses and names of layers, are elided in their
    middle; the whole text is the tooltip then.
    """

    _text = ""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)  # a layer may be called "<b>"
        self.setText(text)

    def text(self) -> str:
        """Return the whole text."""
        return self._text

    def setText(self, text: str | None) -> None:
        """Show a text, in as many lines as it takes."""
        self._text = text or ""
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Follow the width."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: Any) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def minimumSizeHint(self) -> QSize:
        """Ask for no width: words are elided before they ask for any."""
        return QSize(0, super().minimumSizeHint().height())

    def _fit(self) -> None:
        shown = self._elided(max(self.contentsRect().width() - 2 * self.margin(), _NARROWEST))
        if shown != super().text():
            super().setText(shown)
            self.setToolTip(self._text if shown != self._text else "")
        before = self.minimumHeight()
        self.setMinimumHeight(0)  # or the height would never be less than that
        height = self.heightForWidth(self.width())
        self.setMinimumHeight(before if height < 0 else height)

    def _elided(self, room: int) -> str:
        measures, mode = self.fontMetrics(), Qt.TextElideMode.ElideMiddle
        lines = (line.split(" ") for line in self._text.split("\n"))
        return "\n".join(
            " ".join(measures.elidedText(word, mode, room) for word in words) for words in lines
        )


class SmallPrint(WrappedLabel):
    """Explanation in small letters; the style of the dock says how small."""
