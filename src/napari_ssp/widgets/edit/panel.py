"""Tools of the Edit dock."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.service import Gesture, Tool
from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.edit.keys import EDIT_KEYS, HINTS
from napari_ssp.widgets.forms.wrapped_label import SmallPrint, WrappedLabel

_EXPLANATION = (
    "Works on the selected labels layer, without running a network. Ctrl+Z takes an edit back."
)
_NO_TOOL = "Choose what to do."
_THROUGH = "Through all planes"
_THROUGH_HELP = (
    "Add, split, join and remove 3D objects in all planes that they are in, at this time point; "
    "grow and shrink change the plane on display"
)
_LARGEST = 50  # pixels


class EditPanel(QWidget):
    """Buttons of the tools, one or none pressed; knows neither the viewer nor layers.

    Setters in: ``choose``, ``set_depth``, ``set_message``. Signal out: ``changed``, when another
    tool is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = {tool: QPushButton() for tool in Tool}
        self.pixels_box = QSpinBox()
        self.pixels_box.setRange(1, _LARGEST)
        self.pixels_box.setSuffix(" px")
        self.pixels_box.setToolTip("How far a click grows or shrinks an object")
        self.through_box = QCheckBox(_THROUGH)
        self.through_box.setToolTip(_THROUGH_HELP)
        self.through_box.setChecked(True)
        self.set_depth(1)
        self.hint, self.message = WrappedLabel(_NO_TOOL), MessageLine()
        for tool, button in self.buttons.items():
            button.setCheckable(True)
            button.setText(f"{tool.value.capitalize()} ({EDIT_KEYS.key(f'toggle_{tool}')})")
            button.setToolTip(EDIT_KEYS.words(f"toggle_{tool}"))
            button.clicked.connect(partial(self._press, tool))
        self._lay_out()

    def tool(self) -> Tool | None:
        """Return the tool that is chosen."""
        return next((tool for tool, button in self.buttons.items() if button.isChecked()), None)

    def choose(self, tool: Tool | None) -> None:
        """Choose another tool, or none."""
        if tool == self.tool():
            return
        for each, button in self.buttons.items():
            button.setChecked(each is tool)
        self.hint.setText(_NO_TOOL if tool is None else HINTS[tool])
        self.set_message("")
        self.changed.emit()

    def set_depth(self, planes: int) -> None:
        """Offer to go through all planes, where there are several."""
        self.through_box.setVisible(planes > 1)

    def gesture(self) -> Gesture | None:
        """Return what is asked for, still without points; None where no tool is chosen."""
        tool = self.tool()
        if tool is None:
            return None
        through = self.through_box.isVisibleTo(self) and self.through_box.isChecked()
        return Gesture(tool, (), self.pixels_box.value(), through)

    def set_message(self, text: str, kind: str = "info") -> None:
        """Show one line; ``kind`` is "info", "warning" or "error"."""
        self.message.say(text, kind)

    def _press(self, tool: Tool, checked: bool) -> None:
        self.buttons[tool].setChecked(not checked)  # as before the click
        self.choose(tool if checked else None)

    def _lay_out(self) -> None:
        layout, grid, row = QVBoxLayout(self), QGridLayout(), QHBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        for place, button in enumerate(self.buttons.values()):
            grid.addWidget(button, *divmod(place, 2))
        label = QLabel("Grow and shrink by")
        label.setToolTip(self.pixels_box.toolTip())
        row.addWidget(label)
        row.addWidget(self.pixels_box)
        row.addStretch(1)
        layout.addWidget(SmallPrint(_EXPLANATION))
        layout.addLayout(grid)
        layout.addLayout(row)
        layout.addWidget(self.through_box)
        layout.addWidget(self.hint)
        layout.addWidget(self.message)
