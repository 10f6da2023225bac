"""Undo and redo of choices, by the usual keys, for whoever is at a widget or in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QAbstractSpinBox, QLineEdit, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

# Changes that follow each other sooner are those of one drag.
_ONE_DRAG = 0.4  # seconds
_MOST = 200


class ChoiceHistory(QObject):
    """Values that a widget had; Ctrl+Z in the widget goes back, and nowhere else.

    Parameters
    ----------
    widget : QWidget
        Where the keys are heard; napari's own undo of layers stays with the canvas.
    read, write : bound methods
        Give the widget's value, and show one.
    clock : callable
        Seconds that only go up.
    """

    def __init__(
        self,
        widget: QWidget,
        read: Callable[[], Any],
        write: Callable[[Any], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(widget)
        self._read, self._write, self._clock = read, write, clock
        self.restart()
        keys = {QKeySequence.StandardKey.Undo: self.undo, QKeySequence.StandardKey.Redo: self.redo}
        for key, slot in keys.items():
            shortcut = QShortcut(QKeySequence(key), widget)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        for box in widget.findChildren(QAbstractSpinBox):
            box.installEventFilter(self)

    def restart(self) -> None:
        """Forget all values but the one on display."""
        self._past: list[Any] = []
        self._future: list[Any] = []
        self._now = self._read()
        self._changed_at = float("-inf")

    def note(self) -> None:
        """Remember the value before a change; what is undone, or not a value, is no change."""
        try:
            value = self._read()
        except ValueError:  # half typed
            return
        if value == self._now:
            return
        now = self._clock()
        if now - self._changed_at > _ONE_DRAG:
            self._past = [*self._past, self._now][-_MOST:]
        self._now, self._changed_at, self._future = value, now, []

    def undo(self) -> None:
        """Show the value before the last change."""
        if self._past:
            self._future.append(self._now)
            self._show(self._past.pop())

    def redo(self) -> None:
        """Show again what was undone."""
        if self._future:
            self._past.append(self._now)
            self._show(self._future.pop())

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Take the keys from a number, which would undo what was typed before."""
        if event.type() == QEvent.Type.ShortcutOverride and _is_ours(event):
            line = watched.findChild(QLineEdit)
            if line is None or not line.isModified():
                event.ignore()
                return True
        return bool(super().eventFilter(watched, event))

    def _show(self, value: Any) -> None:
        self._now, self._changed_at = value, float("-inf")
        self._write(value)


def _is_ours(event: Any) -> bool:
    keys = (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo)
    return any(event.matches(key) for key in keys)
