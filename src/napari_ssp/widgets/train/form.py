"""The Train form: a plain widget that shows and edits one TrainChoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_ssp.widgets.forms.editor_form import EditorForm
from napari_ssp.widgets.forms.fields import Editor
from napari_ssp.widgets.forms.model_form import DEVICES
from napari_ssp.widgets.train.choices import CELLS, STRUCTURES, TrainChoices
from napari_ssp.widgets.train.fields import DurationBox, FolderBox, RateBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

_FAMILIES = {CELLS: "mediar", STRUCTURES: "repmode"}
_SCRATCH = ("None: from scratch", None)
_TRAINABLE = (
    ("Everything", "all"),
    ("Decoder and heads", "decoder"),
    ("Heads only", "heads"),
    ("LoRA: small corrections", "lora"),
)
_AUGMENTATIONS = (
    ("None", "none"),
    ("Light", "light"),
    ("Standard", "standard"),
    ("As MEDIAR", "mediar"),
)
_PLAIN = ("learn", "base", "name", "duration")
_ADVANCED = (
    "trainable",
    "augmentation",
    "learning_rate",
    "batch_size",
    "crop",
    "fit_to_time",
    "replay",
    "validation",
    "device",
    "compute",
)
#: What a request for structures does not have, or has in another form.
_OF_CELLS = ("trainable", "augmentation", "crop", "replay")


class TrainForm(EditorForm):
    """Form of the choices of a training.

    Setters in: ``set_value``, ``set_models``. Signal out: ``changed``.
    """

    value_type = TrainChoices

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models: dict[str, list[tuple[str, str]]] = {CELLS: [], STRUCTURES: []}
        self._learn = self._add_choice("learn")
        self._learn.set_choices([("Cells", CELLS), ("Structures", STRUCTURES)])
        self._base = self._add_choice("base")
        self._add_name()
        self._add_own("duration", DurationBox)
        self._add_choice("trainable").set_choices(_TRAINABLE)
        self._add_choice("augmentation").set_choices(_AUGMENTATIONS)
        self._add_own("learning_rate", RateBox)
        self._add_numbers("batch_size", "crop")
        self._add_checks("fit_to_time")
        self._add_own("replay", FolderBox)
        self._add_own("validation", FolderBox)
        self._add_choice("device").set_choices(DEVICES)
        self._add_compute()
        crop: Any = self._editors["crop"].widget
        crop.setSingleStep(32)
        crop.setSuffix(" px")
        self._lay_out(_PLAIN, _ADVANCED)
        self._learn.currentIndexChanged.connect(self._follow_learn)
        self._follow_learn()
        self.set_value(TrainChoices())

    def set_value(self, value: Any) -> None:
        """Show a value; a base model that is not in the list is added to it."""
        self._learn.set_value(value.learn)
        if value.base is not None and value.base not in self._base:
            self._models[value.learn].append((value.base, ""))
            self._follow_learn()
        super().set_value(value)

    def set_models(self, models: Sequence[tuple[str, str, str]]) -> None:
        """Offer base models, each by name, family and description."""
        for learn, family in _FAMILIES.items():
            self._models[learn] = [(n, text) for n, kind, text in models if kind == family]
        self._follow_learn()

    def _follow_learn(self) -> None:
        learn = self._learn.value()
        models = self._models[learn]
        self._base.set_choices([*((name, name) for name, _ in models), _SCRATCH])
        for index, (_, description) in enumerate(models):
            self._base.setItemData(index, description, Qt.ItemDataRole.ToolTipRole)
        for name in _OF_CELLS:
            self._set_applies(name, learn == CELLS)

    def _add_name(self) -> None:
        edit = QLineEdit()
        edit.setToolTip(self._fields["name"].help)
        edit.textChanged.connect(self.changed)
        self._editors["name"] = Editor(edit, edit.text, edit.setText)

    def _add_own(self, name: str, make: Any) -> None:
        widget = make(self._fields[name].help)
        widget.changed.connect(self.changed)
        self._editors[name] = Editor(widget, widget.value, widget.set_value)
