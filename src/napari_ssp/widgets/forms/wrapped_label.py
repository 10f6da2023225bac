"""Labels of several lines that get the height that they need, at any font size."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QLabel, QWidget


class WrappedLabel(QLabel):
    """Plain text that breaks into lines; a layout inside a form's row would cut some off."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)  # a layer may be called "<b>"

    def setText(self, text: str | None) -> None:
        """Show a text, in as many lines as it takes."""
        super().setText(text)
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

    def _fit(self) -> None:
        before = self.minimumHeight()
        self.setMinimumHeight(0)  # or the height would never be less than that
        height = self.heightForWidth(self.width())
        self.setMinimumHeight(before if height < 0 else height)


class SmallPrint(WrappedLabel):
    """Explanation in small letters; the style of the dock says how small."""
