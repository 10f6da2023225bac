"""Row that colours labels by a column: a choice, and what the colours mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QLinearGradient, QPainter
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.measure.label_colours import COLORMAP, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

_OWN = ("Each its own colour", None)
_STOPS = 16


class ColourRow(QWidget):
    """Choice of a column and a legend; setters in: ``set_columns``, ``set_limits``.

    Signal out: ``changed(column or None)``, when a person or a setter has chosen another one.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = ChoiceBox(
            "Colour the objects by what was measured; the first entry is the way back"
        )
        self.box.set_choices([_OWN])
        self.low, self.high = QLabel(), QLabel()
        self._legend = QWidget()
        layout, legend = QVBoxLayout(self), QHBoxLayout(self._legend)
        for each in (layout, legend):
            each.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.addWidget(QLabel("Colour by"))
        row.addWidget(self.box, 1)
        legend.addWidget(self.low)
        legend.addWidget(_ColourBar(), 1)
        legend.addWidget(self.high)
        layout.addLayout(row)
        layout.addWidget(self._legend)
        self.box.currentIndexChanged.connect(self._tell)
        self.set_limits(None)

    def set_columns(self, names: Sequence[str], chosen: str | None) -> None:
        """Offer columns, with the one that is on display; tells of no change."""
        self.box.blockSignals(True)
        self.box.set_choices([_OWN, *((name, name) for name in names)])
        self.box.set_value(chosen)
        self.box.blockSignals(False)
        self.setEnabled(bool(names))

    def set_limits(self, limits: Limits | None) -> None:
        """Say which values the darkest and the brightest colour have; None hides the legend."""
        self._legend.setVisible(limits is not None)
        if limits is not None:
            self.low.setText(f"≤ {limits.low:.4g}")
            self.high.setText(f"≥ {limits.high:.4g}")

    def _tell(self) -> None:
        self.changed.emit(self.box.value())


class _ColourBar(QWidget):
    """Bar from the darkest to the brightest colour."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: Any) -> None:
        """Draw the colours from left to right."""
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for k in range(_STOPS):
            share = k / (_STOPS - 1)
            red, green, blue, _ = ensure_colormap(COLORMAP).map(share)[0]
            gradient.setColorAt(share, QColor.fromRgbF(float(red), float(green), float(blue)))
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(QRectF(self.rect()), gradient)
