"""A curve that grows while a model trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE = QSize(300, 100)
_MARGIN = 6
_BEST = "#f0b030"
# A change that is smaller, of the value itself, should not look like one.
_LEAST_SPAN = 0.1


@dataclass(frozen=True)
class Curve:
    """What a plot shows.

    Attributes
    ----------
    title : str
        What the values are.
    points : tuple of (float, float)
        Minutes and value, in the order of time.
    base : float or None
        Value of the base model, drawn as a dashed line.
    best : float or None
        The best value so far, whose point is marked.
    end : float
        Minutes at the right; the last point's where that is later.
    """

    title: str
    points: tuple[tuple[float, float], ...] = ()
    base: float | None = None
    best: float | None = None
    end: float = 0.0


class CurvePlot(QWidget):
    """Line plot over minutes; setter in: ``set_curve``.

    Drawn with Qt alone: two lines of at most a few thousand points need no plotting library.

    Parameters
    ----------
    colour : str
        Of the line; readable on napari's dark and light themes.
    """

    def __init__(self, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor(colour)
        self.curve = Curve("")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_curve(self, curve: Curve) -> None:
        """Show a curve; without points only its title and base."""
        self.curve = curve
        self.setAccessibleName(self.text())
        self.setToolTip(self.text())
        self.update()

    def text(self) -> str:
        """Say the newest value in words."""
        parts = [self.curve.title]
        if self.curve.points:
            parts.append(f"now {_number(self.curve.points[-1][1])}")
        if self.curve.best is not None:
            parts.append(f"best {_number(self.curve.best)}")
        if self.curve.base is not None:
            parts.append(f"base model {_number(self.curve.base)}")
        return ", ".join(parts)

    def sizeHint(self) -> QSize:
        """Ask for room for the title, the lines and the minutes."""
        return _SIZE

    def paintEvent(self, event: Any) -> None:
        """Draw the title, the axes and the lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = QFontMetricsF(self.font())
        line = metrics.height()
        ticks = _ticks(self._values())
        left = max(metrics.horizontalAdvance(_number(tick)) for tick in ticks) + _MARGIN
        top, height = 1.5 * line, self.height() - 2.5 * line - 4  # half a line for the top number
        area = QRectF(left, top, self.width() - left - _MARGIN, height)
        words = self.palette().color(QPalette.ColorRole.WindowText)
        painter.setPen(words)
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignLeft, self.text())
        self._draw_axes(painter, area, ticks)
        self._draw_lines(painter, area, (ticks[0], ticks[-1]))

    def _draw_axes(self, painter: QPainter, area: QRectF, ticks: Sequence[float]) -> None:
        words = self.palette().color(QPalette.ColorRole.WindowText)
        faint = QColor(words)
        faint.setAlpha(50)
        line = QFontMetricsF(self.font()).height()
        numbered = ticks[:: math.ceil(line * (len(ticks) - 1) / area.height())]  # as there is room
        for tick in ticks:
            y = _height(tick, area, (ticks[0], ticks[-1]))
            painter.setPen(faint)
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            if tick not in numbered:
                continue
            painter.setPen(words)
            box = QRectF(0, y - line / 2, area.left() - 4, line)
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, flags, _number(tick))
        painter.setPen(words)
        below = QRectF(area.left(), area.bottom() + 2, area.width(), self.height() - area.bottom())
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{_number(self._last())} min")

    def _draw_lines(self, painter: QPainter, area: QRectF, limits: tuple[float, float]) -> None:
        if self.curve.base is not None:
            y = _height(self.curve.base, area, limits)
            words = self.palette().color(QPalette.ColorRole.WindowText)
            painter.setPen(QPen(words, 1.2, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        places = [
            QPointF(area.left() + area.width() * x / self._last(), _height(y, area, limits))
            for x, y in self.curve.points
        ]
        painter.setPen(QPen(self._colour, 2))
        painter.drawPolyline(QPolygonF(places))
        painter.setBrush(self._colour)
        if len(places) == 1:  # a line of one point is not seen
            painter.drawEllipse(places[0], 2.5, 2.5)
        for place, (_, value) in zip(places, self.curve.points, strict=True):
            if value == self.curve.best:
                painter.setPen(QPen(QColor(_BEST), 1.5))
                painter.setBrush(QColor(_BEST))
                painter.drawEllipse(place, 3.5, 3.5)
                break

    def _values(self) -> list[float]:
        extra = [] if self.curve.base is None else [self.curve.base]
        return [y for _, y in self.curve.points] + extra

    def _last(self) -> float:
        return max([self.curve.end, *(x for x, _ in self.curve.points)]) or 1.0


def _height(value: float, area: QRectF, limits: tuple[float, float]) -> float:
    low, high = limits
    return float(area.bottom() - area.height() * (value - low) / (high - low))


def _ticks(values: Sequence[float]) -> list[float]:
    """Three to five round numbers that embrace the values."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    span = max(high - low, _LEAST_SPAN * max(abs(high), abs(low)), 1e-6)
    step = 10.0 ** math.floor(math.log10(span))
    step *= next(factor for factor in (0.5, 1.0, 2.0, 5.0) if span / (factor * step) <= 3.0)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.3g}"
