"""A form of one value object: rows of editors, the advanced ones folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QWidget

from napari_ssp.schema import describe_fields
from napari_ssp.widgets.forms.choice_history import ChoiceHistory
from napari_ssp.widgets.forms.compute_box import ComputeBox
from napari_ssp.widgets.forms.elided import ElidedToolButton
from napari_ssp.widgets.forms.fields import (
    ChoiceBox,
    Editor,
    check_editor,
    number_editor,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ADVANCED_HELP = "Show choices that most runs do without"


class EditorForm(QWidget):
    """Form of a frozen dataclass; knows neither the viewer nor the service.

    Setters in: ``set_value``, ``change``. Signal out: ``changed``, after any change of the value. A
    subclass names the value's type, adds editors to ``_editors`` and then calls ``_lay_out``.

    A choice that does not apply to what is worked on is hidden or disabled, keeps its editor's
    content, and counts as its default. Advanced choices count while they are folded away; the
    fold says which of them were changed.
    """

    changed = Signal()
    value_type: type[Any]

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields = describe_fields(self.value_type)
        self._editors: dict[str, Editor] = {}
        self._idle: set[str] = set()

    def value(self) -> Any:
        """Return what is chosen, of the choices that apply; the others have their defaults."""
        return self.value_type(**{name: self._editors[name].get() for name in self._applying()})

    def set_value(self, value: Any) -> None:
        """Show a value."""
        self.change(**{name: getattr(value, name) for name in self._editors})

    def change(self, **values: Any) -> None:
        """Show other values of some choices; the others stay, also those that do not apply."""
        for name, value in values.items():
            self._editors[name].set(value)

    def begin_with(self, values: Mapping[str, Any]) -> None:
        """Show those of the values whose choice the form leaves."""
        self.change(**{name: values[name] for name in self._editors if name in values})

    def set_advanced_open(self, opened: bool) -> None:
        """Open or close the advanced part."""
        self._toggle.setChecked(opened)

    def _applying(self) -> list[str]:
        return [name for name in self._editors if name not in self._idle]

    def _contents(self) -> dict[str, Any]:
        """Read the editors, also those that do not apply."""
        return {name: editor.get() for name, editor in self._editors.items()}

    def _show_contents(self, values: dict[str, Any]) -> None:
        now = self._contents()
        self.change(**{name: value for name, value in values.items() if now[name] != value})

    def _set_applies(self, name: str, applies: bool) -> None:
        """Tell whether a choice means anything for what is worked on; if not, it has no effect."""
        (self._idle.discard if applies else self._idle.add)(name)
        self._show_row(name)
        self._note_changes()

    def _show_row(self, name: str) -> None:
        folded = name in self._advanced and not self._toggle.isChecked()
        self._form.setRowVisible(self._editors[name].widget, name not in self._idle and not folded)

    def _note_changes(self) -> None:
        """Say on the fold which of the choices in it are not at their defaults."""
        names = [name for name in self._advanced if name not in self._idle]
        changed = [self._fields[name].label for name in names if self._is_changed(name)]
        self._toggle.setText(f"Advanced ({len(changed)} changed)" if changed else "Advanced")
        self._toggle.setToolTip(f"Changed: {', '.join(changed)}" if changed else _ADVANCED_HELP)

    def _is_changed(self, name: str) -> bool:
        try:
            return bool(self._editors[name].get() != self._fields[name].default)
        except ValueError:  # something was typed that is no value
            return True

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

    def _add_compute(self) -> None:
        box = ComputeBox(self._fields["compute"].help)
        box.currentIndexChanged.connect(self.changed)
        self._editors["compute"] = Editor(box, box.value, box.show_place)

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
        self._toggle = FoldButton("Advanced", _ADVANCED_HELP)
        self._toggle.toggled.connect(self._show_advanced)
        self.changed.connect(self._note_changes)
        if advanced:
            self._form.addRow(self._toggle)
        for name in advanced:
            self._add_row(name)
        self._show_advanced()
        self._note_changes()
        self._history = ChoiceHistory(self, self._contents, self._show_contents)
        self.changed.connect(self._history.note)

    def _add_row(self, name: str) -> None:
        widget: Any = self._editors[name].widget
        if isinstance(widget, QCheckBox):  # has its own label
            self._form.addRow(widget)
            return
        label = QLabel(self._fields[name].label)
        label.setToolTip(widget.toolTip())
        self._form.addRow(label, widget)

    def _show_advanced(self) -> None:
        for name in self._advanced:
            self._show_row(name)


class FoldButton(ElidedToolButton):
    """Title with an arrow that opens and closes what is below it.

    Parameters
    ----------
    title, tooltip : str
        What is below, and what it is good for.
    """

    def __init__(self, title: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(title)
        self.setToolTip(tooltip)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        self.toggled.connect(self._turn_arrow)
        self._turn_arrow(False)

    def _turn_arrow(self, opened: bool) -> None:
        self.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
