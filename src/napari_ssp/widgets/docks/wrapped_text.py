"""A text that wraps, and elides what is too long to be wrapped; it never widens its dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QWidget

_NARROWEST = 120  # pixels, before it has a place


class WrappedText(QLabel):
    """Label whose longest word, as an address or a path, is elided in its middle.

    The whole text is its tooltip then.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)  # a layer may be called "<b>"
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def text(self) -> str:
        """Return the whole text."""
        return self._text

    def setText(self, text: str | None) -> None:
        """Show a text, as much as fits."""
        self._text = text or ""
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Elide anew for another width."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Ask for no width: words are elided before they ask for any."""
        return QSize(0, super().minimumSizeHint().height())

    def _fit(self) -> None:
        room = max(self.contentsRect().width() - 2 * self.margin(), _NARROWEST)
        measures, mode = self.fontMetrics(), Qt.TextElideMode.ElideMiddle
        lines = [
            " ".join(measures.elidedText(word, mode, room) for word in line.split(" "))
            for line in self._text.split("\n")
        ]
        shown = "\n".join(lines)
        if shown != super().text():
            super().setText(shown)
            self.setToolTip(self._text if shown != self._text else "")
