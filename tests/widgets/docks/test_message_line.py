"""A message that is said again draws nothing anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication

from napari_ssp.widgets.docks.message_line import MessageLine

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot
    from qtpy.QtGui import QPaintEvent


class _Watched(MessageLine):
    painted = 0

    def paintEvent(self, event: QPaintEvent | None) -> None:
        self.painted += 1
        super().paintEvent(event)


def test_what_is_said_already_is_not_drawn_again(qtbot: QtBot) -> None:
    line = _Watched()
    qtbot.addWidget(line)
    line.say("loading …")
    qtbot.waitExposed(line)
    qtbot.waitUntil(lambda: line.painted > 0)
    QApplication.processEvents()
    before = line.painted
    for _ in range(5):
        line.say("loading …")
        QApplication.processEvents()
    assert line.painted == before
    line.say("loading …", "warning")
    qtbot.waitUntil(lambda: line.painted > before)
    assert "#7a5600" in line.styleSheet()
    line.say("")
    assert line.isHidden()
    line.say("loading …", "warning")
    assert not line.isHidden()
