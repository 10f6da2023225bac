"""Widgets that shorten a long name in its middle, where names of one experiment are alike."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStyleOptionToolButton,
    QStylePainter,
    QToolButton,
    QWidget,
)

_FEW = "…mmmmmm"  # a name is never shorter than about this
_MARGIN = 6  # pixels between a name and what is beside it


class ElidedComboBox(QComboBox):
    """Combo box whose choice is shortened in the middle; the tooltip then has all of it."""

    _help = ""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        view: Any = self.view()
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.currentIndexChanged.connect(self._tell_name)

    def setToolTip(self, text: str | None) -> None:
        """Explain the box; a name that does not fit is put in front."""
        self._help = text or ""
        self._tell_name()

    def shown_text(self) -> str:
        """Name of the choice, as far as there is room for it."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        control = QStyle.ComplexControl.CC_ComboBox
        room = self._style().subControlRect(control, option, part, self).width() - _MARGIN
        return _elided(self, self.currentText(), room)

    def resizeEvent(self, event: Any) -> None:
        """Follow the room that there is."""
        super().resizeEvent(event)
        self._tell_name()

    def paintEvent(self, event: Any) -> None:
        """Draw the box with the shortened name."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.shown_text()
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def _style(self) -> Any:
        return self.style()

    def _tell_name(self) -> None:
        super().setToolTip(_tooltip(self.currentText(), self.shown_text(), self._help))


class ElidedCheckBox(QCheckBox):
    """Check box whose label is shortened in the middle; the tooltip then has all of it."""

    _help = ""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def setToolTip(self, text: str | None) -> None:
        """Explain the box; a label that does not fit is put in front."""
        self._help = text or ""
        self._tell_name()

    def shown_text(self) -> str:
        """Label, as far as there is room for it."""
        option = QStyleOptionButton()
        self.initStyleOption(option)
        style: Any = self.style()
        part = QStyle.SubElement.SE_CheckBoxContents
        return _elided(self, self.text(), style.subElementRect(part, option, self).width())

    def resizeEvent(self, event: Any) -> None:
        """Follow the room that there is."""
        super().resizeEvent(event)
        self._tell_name()

    def _tell_name(self) -> None:
        super().setToolTip(_tooltip(self.text(), self.shown_text(), self._help))

    def minimumSizeHint(self) -> QSize:
        """Ask for the box and a few letters."""
        return _narrow(self, super().minimumSizeHint())

    def paintEvent(self, event: Any) -> None:
        """Draw the box with the shortened label."""
        painter, option = QStylePainter(self), QStyleOptionButton()
        self.initStyleOption(option)
        option.text = self.shown_text()
        painter.drawControl(QStyle.ControlElement.CE_CheckBox, option)


class ElidedToolButton(QToolButton):
    """Button with an arrow whose text is shortened in the middle where there is no room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def shown_text(self) -> str:
        """Text, as far as there is room for it."""
        spare = self.sizeHint().width() - _advance(self, self.text())
        return _elided(self, self.text(), self.width() - spare)

    def changeEvent(self, event: Any) -> None:
        """Ask for the room that other letters need."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        """Ask for the arrow and a few letters."""
        return _narrow(self, super().minimumSizeHint())

    def paintEvent(self, event: Any) -> None:
        """Draw the button with the shortened text."""
        painter, option = QStylePainter(self), QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text = self.shown_text()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)


def _tooltip(name: str, shown: str, text: str) -> str:
    return text if shown == name else "\n".join(filter(None, (name, text)))


def _narrow(widget: QWidget, full: QSize) -> QSize:
    least = _advance(widget, _FEW) + 2 * full.height()
    return QSize(min(full.width(), least), full.height())


def _advance(widget: QWidget, text: str) -> int:
    return widget.fontMetrics().horizontalAdvance(text)


def _elided(widget: QWidget, text: str, room: int) -> str:
    if _advance(widget, text) <= room:  # fractions of a pixel are no reason
        return text
    return widget.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, max(room, 0))
