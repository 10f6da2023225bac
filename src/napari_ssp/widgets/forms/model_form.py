"""Base of the forms of docks that make results of an image: model, channel, device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt

from napari_ssp.service.compute.places import LOCAL
from napari_ssp.widgets.forms.editor_form import EditorForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

DEVICES = (
    ("Automatic", "auto"),
    ("CPU", "cpu"),
    ("NVIDIA GPU (CUDA)", "cuda"),
    ("Apple GPU (MPS)", "mps"),
)
PRECISIONS = (
    ("Automatic", "auto"),
    ("Exact (float32)", "float32"),
    ("Fast (bfloat16)", "bfloat16"),
)


class ChoiceForm(EditorForm):
    """Form of a frozen dataclass of choices with a model, a channel and a device.

    Setters in: ``set_value``, ``change``, ``set_models``, ``set_channels``,
    ``set_region_available``.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = self._add_choice("model")
        self._channel = self._add_choice("channel")
        self._device = self._add_choice("device")
        self._device.set_choices(DEVICES)
        if "compute" in self._fields:
            self._add_compute()

    def change(self, **values: Any) -> None:
        """Show other values; a model that is not in the list is added to it."""
        model = values.get("model")
        if model is not None and model not in self._model:
            self._model.set_choices([*self._model_choices(), (model, model)])
        super().change(**values)

    def chosen_model(self) -> str | None:
        """Name of the model; None where none is on offer."""
        name: str | None = self._model.value()
        return name

    def chosen_compute(self) -> str:
        """Place where the network is to run."""
        editor = self._editors.get("compute")
        return LOCAL if editor is None else str(editor.get())

    def insert_first_row(self, label: str, widget: QWidget) -> None:
        """Put a widget of the connected dock above the model, in the same columns."""
        self._form.insertRow(0, label, widget)

    def set_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer models, each by name and description."""
        self._offer_models([(name, name, description) for name, description in models])

    def set_channels(self, channels: Sequence[tuple[str, int | None]]) -> None:
        """Offer channels by name and number; without any the row is hidden."""
        self._channel.set_choices(channels)
        self._set_applies("channel", bool(channels))
        self._channel.setEnabled(len(channels) > 1)

    def set_region_available(self, reason: str | None) -> None:
        """Allow "visible region only", or say why it is not possible and has no effect."""
        self._set_applies("visible_only", reason is None)
        box = self._editors["visible_only"].widget
        box.setEnabled(reason is None)
        box.setToolTip(reason or self._fields["visible_only"].help)

    def _show_row(self, name: str) -> None:
        super()._show_row(name)
        if name == "visible_only":  # stays on display, disabled, as it says why
            self._form.setRowVisible(self._editors[name].widget, True)

    def _model_choices(self) -> list[tuple[str, Any]]:
        return [(self._model.itemText(i), value) for i, value in enumerate(self._model.values())]

    def _offer_models(self, models: Sequence[tuple[str, str | None, str]]) -> None:
        """Offer models by what is shown, the name, and a description."""
        self._model.set_choices((shown, name) for shown, name, _ in models)
        for index, (_, _, description) in enumerate(models):
            self._model.setItemData(index, description, Qt.ItemDataRole.ToolTipRole)
        self._show_model_description()

    def _show_model_description(self) -> None:
        text = self._model.itemData(self._model.currentIndex(), Qt.ItemDataRole.ToolTipRole)
        self._model.setToolTip(text or self._fields["model"].help)

    def _lay_out(self, plain: Sequence[str], advanced: Sequence[str]) -> None:
        self._model.currentIndexChanged.connect(self._show_model_description)
        super()._lay_out(plain, advanced)
