"""Panel of a run: Run and Cancel, the plan, the progress, and one line about the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.forms.calm_bar import CalmBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.progress import Progress

_LONGEST_UNBROKEN = 32
_RUN_STYLE = """
QPushButton { font-weight: bold; padding: 5px; }
QPushButton:enabled { background: #2a62c4; color: white; }
QPushButton:enabled:hover { background: #3b78e0; }
"""


class RunPanel(QWidget):
    """Buttons and messages of a dock that runs jobs; knows neither the viewer nor the service.

    Setters in: ``set_plan``, ``set_obstacle``, ``set_running``, ``set_progress``, ``set_message``.
    Signals out: ``run_clicked``, ``cancel_clicked``.

    Parameters
    ----------
    run_help : str
        Tooltip of the Run button.
    run_text : str
        Its text.
    """

    run_clicked = Signal()
    cancel_clicked = Signal()

    def __init__(self, run_help: str, run_text: str = "Run", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run_help = run_help
        self.plan = MessageLine()
        self.warnings = MessageLine()
        self.run_button = QPushButton(run_text)
        self.run_button.setStyleSheet(_RUN_STYLE)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop the run; nothing of it is shown")
        self.bar = CalmBar()
        self.message = MessageLine()
        self._running = False
        self._can_run = False
        self.run_button.clicked.connect(self.run_clicked)
        self.cancel_button.clicked.connect(self.cancel_clicked)
        self._lay_out()
        self.set_running(False)

    def set_plan(self, summary: str, warnings: Sequence[str] = ()) -> None:
        """Say what Run will do and what to mind, and allow it.

        Lines break between the facts of the summary, not inside them.
        """
        facts = ", ".join(_unbroken(fact) for fact in summary.split(", "))
        self._show_plan(facts, "info", can_run=True)
        self.warnings.say("\n".join(warnings), "warning")

    def set_obstacle(self, reason: str) -> None:
        """Say why Run is not possible, and forbid it."""
        self._show_plan(reason, "warning", can_run=False)
        self.warnings.say("")

    def set_running(self, running: bool) -> None:
        """Switch between before and during a run."""
        self._running = running
        self.bar.setVisible(running)
        self.bar.setRange(0, 0)
        self.cancel_button.setEnabled(running)
        self._update_run_button()

    def set_progress(self, progress: Progress, text: str) -> None:
        """Show a step of the run."""
        fraction = progress.fraction
        if fraction is None or progress.total <= 1:
            self.bar.setRange(0, 0)  # busy
        else:
            self.bar.setRange(0, 100)
            self.bar.setValue(round(100 * fraction))
        self.set_message(text)

    def set_message(self, text: str, kind: str = "info") -> None:
        """Show one line; ``kind`` is "info", "warning" or "error"."""
        self.message.say(text, kind)

    def _show_plan(self, text: str, kind: str, *, can_run: bool) -> None:
        self.plan.say(text, kind)
        self._can_run = can_run
        self._update_run_button()

    def _update_run_button(self) -> None:
        self.run_button.setEnabled(self._can_run and not self._running)
        self.run_button.setToolTip(self._run_help if self._can_run else self.plan.text())

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plan)
        layout.addWidget(self.warnings)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.bar)
        layout.addWidget(self.message)


def _unbroken(fact: str) -> str:
    """Fact that stays on one line; of a long one only what is multiplied, or the dock gets wide."""
    if len(fact) <= _LONGEST_UNBROKEN:
        return fact.replace(" ", "\N{NO-BREAK SPACE}")
    times = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"
    return fact.replace(" × ", times).replace(" µm", "\N{NO-BREAK SPACE}µm")
