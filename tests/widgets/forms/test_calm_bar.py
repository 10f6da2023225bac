"""A busy bar moves, but leaves the processor to the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_ssp.widgets.forms.calm_bar import _STYLE_ANIMATION_UPDATE, CalmBar

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


class _Watched(CalmBar):
    painted = 0

    def paintEvent(self, event: object) -> None:
        self.painted += 1
        super().paintEvent(event)  # type: ignore[arg-type]


def test_a_busy_bar_is_not_drawn_for_each_frame(qtbot: QtBot) -> None:
    bar = _Watched()
    qtbot.addWidget(bar)
    bar.setRange(0, 0)
    bar.show()
    qtbot.waitExposed(bar)
    before, frames = bar.painted, 0
    while bar.painted < before + 2:  # it moves
        frame = QEvent(QEvent.Type(_STYLE_ANIMATION_UPDATE))
        frame.ignore()
        QApplication.sendEvent(bar, frame)
        assert frame.isAccepted(), "the animation would end"
        QApplication.processEvents()
        frames += 1
    assert frames > 10 * 2
