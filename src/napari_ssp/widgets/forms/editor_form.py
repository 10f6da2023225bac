"""A form of one value object: rows of editors, the advanced ones folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QToolButton, QWidget

from napari_ssp.schema import describe_fields
from napari_ssp.widgets.forms.fields import (
    ChoiceBox,
    Editor,
    check_editor,
    number_editor,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class EditorForm(QWidget):
    """Form of a frozen dataclass; knows neither the viewer nor the service.

    Setter in: ``set_value``. Signal out: ``changed``, after any change of the value. A subclass
    names the value's type, adds editors to ``_editors`` and then calls ``_lay_out``.
    """

    changed = Signal()
    value_type: type[Any]

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields = describe_fields(self.value_type)
        self._editors: dict[str, Editor] = {}

    def value(self) -> Any:
        """Return what is chosen."""
        return self.value_type(**{name: editor.get() for name, editor in self._editors.items()})

    def set_value(self, value: Any) -> None:
        """Show a value."""
        for name, editor in self._editors.items():
            editor.set(getattr(value, name))

    def set_advanced_open(self, opened: bool) -> None:
        """Open or close the advanced part."""
        self._toggle.setChecked(opened)

    def _add_choice(self, name: str) -> ChoiceBox:
        box = ChoiceBox(self._fields[name].help)
        box.currentIndexChanged.connect(self.changed)
        self._editors[name] = Editor(box, box.value, box.set_value)
        return box

    def _add_numbers(self, *names: str) -> None:
        for name in names:
            self._editors[name] = number_editor(self._fields[name], self.changed)

    def _add_checks(self, *names: str) -> None:
        for name in names:
            self._editors[name] = check_editor(self._fields[name], self.changed)

    def _lay_out(self, plain: Sequence[str], advanced: Sequence[str]) -> None:
        """Lay out the editors by name, the advanced ones folded away."""
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(6)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._advanced = tuple(advanced)
        for name in plain:
            self._add_row(name)
        self._toggle = FoldButton("Advanced")
        self._toggle.toggled.connect(self._show_advanced)
        self._form.addRow(self._toggle)
        for name in advanced:
            self._add_row(name)
        self._show_advanced(False)

    def _add_row(self, name: str) -> None:
        widget: Any = self._editors[name].widget
        if isinstance(widget, QCheckBox):  # has its own label
            self._form.addRow(widget)
            return
        label = QLabel(self._fields[name].label)
        label.setToolTip(widget.toolTip())
        self._form.addRow(label, widget)

    def _show_advanced(self, opened: bool) -> None:
        for name in self._advanced:
            self._form.setRowVisible(self._editors[name].widget, opened)


class FoldButton(QToolButton):
    """Title with an arrow that opens and closes what is below it."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(title)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        self.toggled.connect(self._turn_arrow)
        self._turn_arrow(False)

    def _turn_arrow(self, opened: bool) -> None:
        self.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
