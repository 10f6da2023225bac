"""Editors that only the Train form needs: a duration, a learning rate, a folder."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QWidget,
)

from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.train.choices import EPOCHS, MINUTES

_LONGEST = 100_000.0


class DurationBox(QWidget):
    """Number with a unit, minutes or epochs; signal out: ``changed``."""

    changed = Signal()

    def __init__(self, tooltip: str) -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.number = _Number()
        self.number.setRange(0.01, _LONGEST)
        self.number.setDecimals(2)
        self.number.setKeyboardTracking(False)
        self.number.setToolTip(tooltip)
        self.unit = ChoiceBox("An epoch is one pass through the training images")
        self.unit.setAccessibleName("Unit of the duration")
        self.unit.set_choices([("minutes", MINUTES), ("epochs", EPOCHS)])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.number, 1)
        layout.addWidget(self.unit, 1)
        self.number.valueChanged.connect(self.changed)
        self.unit.currentIndexChanged.connect(self.changed)

    def value(self) -> tuple[float, str]:
        """Duration and its unit."""
        return self.number.value(), self.unit.value()

    def set_value(self, value: tuple[float, str]) -> None:
        """Show a duration."""
        self.number.setValue(value[0])
        self.unit.set_value(value[1])


class _Number(QDoubleSpinBox):
    def textFromValue(self, value: float) -> str:
        """Leave out noughts at the end."""
        return super().textFromValue(value).rstrip("0").rstrip(self.locale().decimalPoint())


class RateBox(QLineEdit):
    """Small number such as 3e-4, or nothing; signal out: ``changed``."""

    changed = Signal()

    def __init__(self, tooltip: str) -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setPlaceholderText("automatic")
        self.textChanged.connect(self.changed)

    def value(self) -> float | None:
        """Rate; None when the line is empty.

        Raises
        ------
        ValueError
            When the line holds no number above 0 and up to 1.
        """
        text = self.text().strip().replace(",", ".")
        if not text:
            return None
        try:
            rate = float(text)
        except ValueError:
            rate = 0.0
        if not 0.0 < rate <= 1.0:
            raise ValueError(f"The learning rate is a number such as 0.0003 or 3e-4, got '{text}'.")
        return rate

    def set_value(self, value: float | None) -> None:
        """Show a rate, or nothing."""
        self.setText("" if value is None else f"{value:g}")


class FolderBox(QWidget):
    """Folder, or none; signal out: ``changed``."""

    changed = Signal()

    def __init__(self, tooltip: str, empty: str = "none") -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.line = QLineEdit()
        self.line.setPlaceholderText(empty)
        self.line.setClearButtonEnabled(True)
        self.line.setToolTip(tooltip)
        button = QToolButton()
        button.setText("…")
        button.setToolTip("Choose a folder")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(button)
        self.line.textChanged.connect(self.changed)
        button.clicked.connect(self._ask)

    def value(self) -> Path | None:
        """Folder; None when the line is empty."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def set_value(self, value: Path | None) -> None:
        """Show a folder, or none."""
        self.line.setText("" if value is None else str(value))

    def _ask(self) -> None:
        text = QFileDialog.getExistingDirectory(self, self.toolTip(), self.line.text())
        if text:
            self.line.setText(text)
