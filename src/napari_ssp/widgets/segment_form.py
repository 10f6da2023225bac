"""The Segment form: a plain widget that shows and edits one SegmentChoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QToolButton, QWidget

from napari_ssp.widgets.choices import SegmentChoices
from napari_ssp.widgets.fields import ChoiceBox, Editor, check_editor, fields_of, number_editor

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVICES = (
    ("Automatic", "auto"),
    ("CPU", "cpu"),
    ("NVIDIA GPU (CUDA)", "cuda"),
    ("Apple GPU (MPS)", "mps"),
)
_FIELDS = fields_of(SegmentChoices)
_NUMBERS = ("cell_threshold", "flow_threshold", "min_size", "overlap", "batch_size")
_CHECKS = ("visible_only", "tta", "keep_flows", "keep_probability")
_PLAIN = (
    "model",
    "channel",
    "all_planes",
    "cell_threshold",
    "flow_threshold",
    "min_size",
    "device",
    "visible_only",
)
_ADVANCED = ("overlap", "batch_size", "tta", "keep_flows", "keep_probability")
_SUFFIXES = {"min_size": " px"}


class SegmentForm(QWidget):
    """Form of the choices of a segmentation; knows neither the viewer nor the service.

    Setters in: ``set_value``, ``set_models``, ``set_channels``, ``set_planes``,
    ``set_region_available``. Signal out: ``changed``, after any change of the value.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editors: dict[str, Editor] = {}
        self._model = self._add_choice("model")
        self._channel = self._add_choice("channel")
        self._planes = self._add_choice("all_planes")
        self._device = self._add_choice("device")
        self._device.set_choices(DEVICES)
        self._channel.setToolTip("Channel to segment")
        for name in _NUMBERS:
            self._editors[name] = number_editor(_FIELDS[name], self.changed)
        for name in _CHECKS:
            self._editors[name] = check_editor(_FIELDS[name], self.changed)
        self._lay_out()
        self.set_channels(())
        self.set_planes(1)

    def value(self) -> SegmentChoices:
        """Return what is chosen."""
        return SegmentChoices(**{name: editor.get() for name, editor in self._editors.items()})

    def set_value(self, value: SegmentChoices) -> None:
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

    def set_planes(self, count: int) -> None:
        """Offer the current plane or all of them; for a single plane the row is hidden."""
        self._planes.set_choices([("Current plane", False), (f"All {count} planes", True)])
        self._form.setRowVisible(self._planes, count > 1)

    def set_region_available(self, reason: str | None) -> None:
        """Allow "visible region only", or say why it is not possible."""
        box = self._editors["visible_only"].widget
        box.setEnabled(reason is None)
        box.setToolTip(reason or _FIELDS["visible_only"].metadata["help"])

    def set_advanced_open(self, opened: bool) -> None:
        """Open or close the advanced part."""
        self._toggle.setChecked(opened)

    def _add_choice(self, name: str) -> ChoiceBox:
        box = ChoiceBox(_FIELDS[name].metadata["help"])
        box.currentIndexChanged.connect(self.changed)
        self._editors[name] = Editor(box, box.value, box.set_value)
        return box

    def _model_choices(self) -> list[tuple[str, Any]]:
        return [(self._model.itemText(i), self._model.itemText(i)) for i in range(len(self._model))]

    def _show_model_description(self) -> None:
        text = self._model.itemData(self._model.currentIndex(), Qt.ItemDataRole.ToolTipRole)
        self._model.setToolTip(text or _FIELDS["model"].metadata["help"])

    def _lay_out(self) -> None:
        self._model.currentIndexChanged.connect(self._show_model_description)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(6)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        for name in _PLAIN:
            self._add_row(name)
        self._toggle = _fold_button("Advanced")
        self._toggle.toggled.connect(self._show_advanced)
        self._form.addRow(self._toggle)
        for name in _ADVANCED:
            self._add_row(name)
        self._show_advanced(False)

    def _add_row(self, name: str) -> None:
        widget: Any = self._editors[name].widget
        if isinstance(widget, QCheckBox):  # has its own label
            self._form.addRow(widget)
            return
        if name in _SUFFIXES:
            widget.setSuffix(_SUFFIXES[name])
        label = QLabel(_FIELDS[name].metadata["label"])
        label.setToolTip(widget.toolTip())
        self._form.addRow(label, widget)

    def _show_advanced(self, opened: bool) -> None:
        self._toggle.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        for name in _ADVANCED:
            self._form.setRowVisible(self._editors[name].widget, opened)


def _fold_button(title: str) -> QToolButton:
    button = QToolButton()
    button.setText(title)
    button.setCheckable(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setAutoRaise(True)
    return button
