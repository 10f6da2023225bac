"""What the forms of the docks share: rows of editors that show and edit one value object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QToolButton, QWidget

from napari_ssp.widgets.fields import ChoiceBox, Editor, check_editor, fields_of, number_editor

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVICES = (
    ("Automatic", "auto"),
    ("CPU", "cpu"),
    ("NVIDIA GPU (CUDA)", "cuda"),
    ("Apple GPU (MPS)", "mps"),
)


class ChoiceForm(QWidget):
    """Form of a frozen dataclass of choices; knows neither the viewer nor the service.

    Setters in: ``set_value``, ``set_models``, ``set_channels``, ``set_region_available``. Signal
    out: ``changed``, after any change of the value. A subclass names the value's type, adds
    editors to ``_editors`` and then calls ``_lay_out``.
    """

    changed = Signal()
    value_type: type[Any]

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields = fields_of(self.value_type)
        self._editors: dict[str, Editor] = {}
        self._model = self._add_choice("model")
        self._channel = self._add_choice("channel")
        self._device = self._add_choice("device")
        self._device.set_choices(DEVICES)

    def value(self) -> Any:
        """Return what is chosen."""
        return self.value_type(**{name: editor.get() for name, editor in self._editors.items()})

    def set_value(self, value: Any) -> None:
        """Show a value; a model that is not in the list is added to it."""
        if value.model not in self._model:
            self._model.set_choices([*self._model_choices(), (value.model, value.model)])
        for name, editor in self._editors.items():
            editor.set(getattr(value, name))

    def insert_first_row(self, label: str, widget: QWidget) -> None:
        """Put a widget of the connected dock above the model, in the same columns."""
        self._form.insertRow(0, label, widget)

    def set_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer models, each by name and description."""
        self._model.set_choices((name, name) for name, _ in models)
        for index, (_, description) in enumerate(models):
            self._model.setItemData(index, description, Qt.ItemDataRole.ToolTipRole)
        self._show_model_description()

    def set_channels(self, channels: Sequence[tuple[str, int | None]]) -> None:
        """Offer channels by name and number; without any the row is hidden."""
        self._channel.set_choices(channels)
        self._form.setRowVisible(self._channel, bool(channels))
        self._channel.setEnabled(len(channels) > 1)

    def set_region_available(self, reason: str | None) -> None:
        """Allow "visible region only", or say why it is not possible."""
        box = self._editors["visible_only"].widget
        box.setEnabled(reason is None)
        box.setToolTip(reason or self._fields["visible_only"].metadata["help"])

    def set_advanced_open(self, opened: bool) -> None:
        """Open or close the advanced part."""
        self._toggle.setChecked(opened)

    def _add_choice(self, name: str) -> ChoiceBox:
        box = ChoiceBox(self._fields[name].metadata["help"])
        box.currentIndexChanged.connect(self.changed)
        self._editors[name] = Editor(box, box.value, box.set_value)
        return box

    def _add_numbers(self, *names: str) -> None:
        for name in names:
            self._editors[name] = number_editor(self._fields[name], self.changed)

    def _add_checks(self, *names: str) -> None:
        for name in names:
            self._editors[name] = check_editor(self._fields[name], self.changed)

    def _model_choices(self) -> list[tuple[str, Any]]:
        return [(self._model.itemText(i), self._model.itemText(i)) for i in range(len(self._model))]

    def _show_model_description(self) -> None:
        text = self._model.itemData(self._model.currentIndex(), Qt.ItemDataRole.ToolTipRole)
        self._model.setToolTip(text or self._fields["model"].metadata["help"])

    def _lay_out(self, plain: Sequence[str], advanced: Sequence[str]) -> None:
        """Lay out the editors by name, the advanced ones folded away."""
        self._model.currentIndexChanged.connect(self._show_model_description)
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
        label = QLabel(self._fields[name].metadata["label"])
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
