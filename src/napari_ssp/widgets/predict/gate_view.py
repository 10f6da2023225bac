"""Bars that show how much each expert of a RepMode model counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QToolTip, QWidget

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

#: Experts in the order of the gate, with colours that colour-blind people can tell apart; the last
#: one is there for structures that were learned later.
EXPERTS = (
    ("5×5×5", "#0072b2"),
    ("3×3×3", "#56b4e9"),
    ("1×1×1", "#009e73"),
    ("average 3×3×3", "#f0b030"),
    ("average 5×5×5", "#d55e00"),
    ("its own 5×5×5", "#cc79a7"),
)
_BAR_HEIGHT = 14
_LEGEND_COLUMNS = 3


class GateBar(QWidget):
    """Stacked horizontal bar of one block; its tooltip gives the numbers.

    Parameters
    ----------
    block : str
        Name of the block.
    shares : tuple of float
        Share of each expert; they sum to 1.
    """

    def __init__(self, block: str, shares: tuple[float, ...], parent: QWidget | None = None):
        super().__init__(parent)
        self.block = block
        self.shares = shares
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.text())

    def text(self) -> str:
        """Numbers in words, one line per expert."""
        lines = [
            f"{name}: {100 * share:.0f} %"
            for (name, _), share in zip(EXPERTS, self.shares, strict=False)
        ]
        return "\n".join([self.block, *lines])

    def sizeHint(self) -> QSize:
        """Ask for a line's height."""
        return QSize(160, _BAR_HEIGHT)

    def paintEvent(self, event: Any) -> None:
        """Draw the parts from left to right."""
        painter = QPainter(self)
        left = 0.0
        for (_, colour), share in zip(EXPERTS, self.shares, strict=False):
            width = share * self.width()
            painter.fillRect(QRectF(left, 0, width, self.height()), QColor(colour))
            left += width

    def event(self, event: Any) -> bool:
        """Show the numbers under the pointer."""
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.text(), self)
            return True
        return bool(super().event(event))


class GateView(QWidget):
    """A bar per block, from the input to the output, and what the colours mean.

    Setter in: ``set_gates``.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars: list[GateBar] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(1, 1)

    def set_gates(self, gates: Mapping[str, NDArray[np.float32]]) -> None:
        """Show gates.

        Parameters
        ----------
        gates : mapping of str to numpy.ndarray
            (experts, channels) by block; the mean over the channels is shown.
        """
        self._clear()
        for row, (block, weights) in enumerate(gates.items()):
            shares = tuple(float(share) for share in weights.mean(axis=1))
            bar = GateBar(block, shares)
            self.bars.append(bar)
            self._grid.addWidget(QLabel(block), row, 0)
            self._grid.addWidget(bar, row, 1, Qt.AlignmentFlag.AlignVCenter)
        if gates:
            self._grid.addWidget(_legend(len(shares)), len(gates), 0, 1, 2)

    def _clear(self) -> None:
        self.bars = []
        while (item := self._grid.takeAt(0)) is not None:
            widget: Any = item.widget()
            widget.deleteLater()


def _legend(experts: int) -> QLabel:
    shown = EXPERTS[:experts]
    entries = [f'<span style="color:{colour}">■</span>&nbsp;{name}' for name, colour in shown]
    lines = [
        "&nbsp; ".join(entries[start : start + _LEGEND_COLUMNS])
        for start in range(0, len(entries), _LEGEND_COLUMNS)
    ]
    label = QLabel("<br>".join(lines))
    label.setTextFormat(Qt.TextFormat.RichText)
    return label
