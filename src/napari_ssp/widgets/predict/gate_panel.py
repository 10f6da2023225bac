"""The folded part of the Predict dock that tells which scales a structure uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ssp.widgets.forms.editor_form import FoldButton
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.forms.wrapped_label import SmallPrint
from napari_ssp.widgets.predict.gate_view import GateView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

_EXPLANATION = (
    "The network mixes filters of different reach for each structure; a bar shows the share of "
    "each, from the input (encoder 1) to the output."
)


class GatePanel(QWidget):
    """Fold, choice of a structure, and its bars; knows neither the viewer nor the service.

    Setters in: ``set_tasks``, ``suggest``, ``set_gates``, ``set_message``. Signal out:
    ``wanted(model, task)``, when gates should be shown that are not there.
    """

    wanted = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = ""
        self._shown: tuple[str, str] | None = None
        self.fold = FoldButton("Which scales does this structure use?", _EXPLANATION)
        self.task_box = ChoiceBox("Structure whose scales are shown")
        self.view = GateView()
        self.message = SmallPrint()
        self._body = QWidget()
        self._lay_out()
        self.fold.toggled.connect(self._open)
        self.task_box.currentIndexChanged.connect(self._ask)

    def set_tasks(self, model: str, tasks: Sequence[str]) -> None:
        """Offer a model's structures."""
        self._model = model
        self.task_box.set_choices([(name, name) for name in tasks])
        self._ask()

    def suggest(self, task: str) -> None:
        """Choose a structure, unless the user is looking at one."""
        if not self.fold.isChecked():
            self.task_box.set_value(task)

    def set_gates(self, gates: Mapping[str, NDArray[np.float32]]) -> None:
        """Show the gates that were asked for last."""
        self.set_message("")
        self.view.set_gates(gates)

    def set_message(self, text: str) -> None:
        """Show a line instead of the bars."""
        self.message.setText(text)
        self.message.setVisible(bool(text))
        self.view.setVisible(not text)

    def _open(self, opened: bool) -> None:
        self._body.setVisible(opened)
        self._ask()

    def _ask(self) -> None:
        task = self.task_box.value()
        if not self.fold.isChecked() or task is None or self._shown == (self._model, task):
            return
        self._shown = (self._model, task)
        self.set_message("loading …")
        self.wanted.emit(self._model, task)

    def _lay_out(self) -> None:
        layout, inner = QVBoxLayout(self), QVBoxLayout(self._body)
        layout.setContentsMargins(0, 0, 0, 0)
        inner.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        layout.addWidget(self._body)
        for widget in (self.task_box, self.message, self.view, SmallPrint(_EXPLANATION)):
            inner.addWidget(widget)
        self._body.setVisible(False)
