"""The part of the Segment dock that changes the thresholds of a finished run."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_ssp.schema import describe_fields
from napari_ssp.service import Thresholds
from napari_ssp.widgets.forms.choice_history import ChoiceHistory
from napari_ssp.widgets.forms.editor_form import FoldButton
from napari_ssp.widgets.forms.slider_box import Scale, SliderBox
from napari_ssp.widgets.forms.wrapped_label import WrappedLabel

_SCALES = {
    "cell_threshold": Scale(0.0, 1.0),
    "flow_threshold": Scale(0.05, 2.0, off_at_end=True),
    "min_size": Scale(0, 5000, power=2),
    "hole_size": Scale(0, 5000, power=2),
}
_EXPLANATION = "Changes the labels at once, without running the network again."


class RefinePanel(QWidget):
    """Fold with a slider for each threshold; knows neither the viewer nor the service.

    Setters in: ``set_value``, ``set_result``, ``set_obstacle``, ``set_settled``, ``set_message``,
    ``set_waiting``, ``clear``. Signals out: ``changed``, ``commit_clicked``.
    """

    changed = Signal()
    commit_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run_with = Thresholds()
        known = describe_fields(Thresholds)
        self.boxes = {
            name: SliderBox(known[name], scale, " px" if name.endswith("size") else "")
            for name, scale in _SCALES.items()
        }
        self._labels = {name: known[name].label for name in self.boxes}
        self.fold = FoldButton("Refine", _EXPLANATION)
        self.fold.setChecked(True)
        self.waiting = WrappedLabel("A run is under way; the sliders wait for its end.")
        self.message = WrappedLabel()
        self.reset_button = QPushButton("Reset")
        self.reset_button.setToolTip("Back to the thresholds of the run")
        self.commit_button = QPushButton("Commit")
        self.commit_button.setToolTip(
            "Keep these labels: they will not change any more, and the next run starts from these "
            "thresholds"
        )
        self._sliders, self._body = QWidget(), QWidget()
        self._lay_out()
        self._connect()
        self._history = ChoiceHistory(self, self.value, self.set_value)
        self.changed.connect(self._history.note)
        self.set_waiting(False)
        self.clear()

    def value(self) -> Thresholds:
        """Return the thresholds on display."""
        return Thresholds(**{name: box.value() for name, box in self.boxes.items()})

    def set_value(self, value: Thresholds) -> None:
        """Show thresholds; ``changed`` comes once, if they differ."""
        before = self.value()
        for name, box in self.boxes.items():
            box.blockSignals(True)
            box.set_value(getattr(value, name))
            box.blockSignals(False)
        if self.value() != before:
            self._tell()

    def set_result(self, name: str, run_with: Thresholds) -> None:
        """Offer the sliders for a layer, at the thresholds that it was made with."""
        self._run_with = run_with
        self.blockSignals(True)
        self.set_value(run_with)
        self.blockSignals(False)
        self._history.restart()
        self._offer(name, possible=True)
        self.set_message(_EXPLANATION)
        self.set_settled(True)

    def set_obstacle(self, name: str, reason: str) -> None:
        """Say why a layer's thresholds cannot be changed."""
        self._offer(name, possible=False)
        self.set_message(reason)

    def clear(self) -> None:
        """Hide: there is nothing to refine."""
        self.setVisible(False)

    def set_settled(self, settled: bool) -> None:
        """Tell whether the labels on display are those of the sliders."""
        self.commit_button.setEnabled(settled)
        self.reset_button.setEnabled(self.value() != self._run_with)

    def set_waiting(self, waiting: bool) -> None:
        """Tell whether the sliders have to wait for a run."""
        self._sliders.setEnabled(not waiting)
        self.waiting.setVisible(waiting)

    def set_message(self, text: str) -> None:
        """Show one line."""
        self.message.setText(text)

    def add_message(self, text: str) -> None:
        """Say one thing more."""
        self.message.setText(f"{self.message.text()} {text}")

    def set_name(self, name: str) -> None:
        """Say which layer changes."""
        self.fold.setText(f"Refine '{name}'")
        self.fold.setToolTip(f"Refine '{name}'. {_EXPLANATION}")

    def _offer(self, name: str, *, possible: bool) -> None:
        self.set_name(name)
        self._sliders.setVisible(possible)
        self.setVisible(True)

    def _tell(self) -> None:
        self.reset_button.setEnabled(self.value() != self._run_with)
        self.changed.emit()

    def _reset(self) -> None:
        self.set_value(self._run_with)

    def _connect(self) -> None:
        for box in self.boxes.values():
            box.changed.connect(self._tell)
        self.fold.toggled.connect(self._body.setVisible)
        self.reset_button.clicked.connect(self._reset)
        self.commit_button.clicked.connect(self.commit_clicked)

    def _lay_out(self) -> None:
        layout, body, sliders = (
            QVBoxLayout(self),
            QVBoxLayout(self._body),
            QVBoxLayout(self._sliders),
        )
        for each in (layout, body, sliders):
            each.setContentsMargins(0, 0, 0, 0)
        form: Any = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setHorizontalSpacing(12)
        for name, box in self.boxes.items():
            label = QLabel(self._labels[name])
            label.setToolTip(box.slider.toolTip())
            form.addRow(label, box)
        buttons = QHBoxLayout()
        buttons.addWidget(self.commit_button, 2)
        buttons.addWidget(self.reset_button, 1)
        sliders.addLayout(form)
        sliders.addLayout(buttons)
        body.addWidget(self.waiting)
        body.addWidget(self._sliders)
        body.addWidget(self.message)
        layout.addWidget(self.fold)
        layout.addWidget(self._body)
