"""The Predict form: a plain widget that shows and edits one PredictChoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLabel

from napari_ssp.widgets.forms.fields import Editor
from napari_ssp.widgets.forms.model_form import PRECISIONS, ChoiceForm
from napari_ssp.widgets.forms.plane_range import PlaneRange
from napari_ssp.widgets.forms.task_list import TaskList
from napari_ssp.widgets.forms.voxel_box import VoxelBox
from napari_ssp.widgets.predict.choices import PredictChoices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

_PLAIN = (
    "model",
    "tasks",
    "channel",
    "voxel_size",
    "z_range",
    "device",
    "visible_only",
    "measured_units",
)
_ADVANCED = ("spread", "precision", "compute", "overlap", "batch_size")


class PredictForm(ChoiceForm):
    """Form of the choices of a prediction of structures.

    Setters in: those of :class:`ChoiceForm`, ``set_tasks``, ``set_planes``,
    ``set_layer_voxel_size``, ``set_model_voxel_size``, ``set_units_known``.
    """

    value_type = PredictChoices

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._channel.setToolTip("Channel with the transmitted light")
        self._add_choice("precision").set_choices(PRECISIONS)
        self._tasks: TaskList = self._add_own("tasks", TaskList)
        self._voxel: VoxelBox = self._add_own("voxel_size", VoxelBox)
        self._planes: PlaneRange = self._add_own("z_range", PlaneRange)
        self._add_numbers("overlap", "batch_size")
        self._add_checks("visible_only", "measured_units", "spread")
        self._lay_out(_PLAIN, _ADVANCED)
        self.set_channels(())
        self.set_planes(1)
        self.set_units_known(False)

    def tasks(self) -> tuple[str, ...]:
        """Names of all structures on offer."""
        return self._tasks.tasks()

    def set_tasks(self, tasks: Sequence[tuple[str, str]]) -> None:
        """Offer structures, each by name and description."""
        self._tasks.set_tasks(tasks)

    def set_planes(self, count: int) -> None:
        """Tell how many planes the stack has; for a single one the row is hidden."""
        self._planes.set_planes(count)
        self._set_applies("z_range", count > 1)

    def set_layer_voxel_size(self, size: tuple[float, float, float] | None) -> None:
        """Tell the layer's voxel size (z, y, x) in µm, where known."""
        self._voxel.set_layer_size(size)

    def set_model_voxel_size(self, size: tuple[float, float, float] | None) -> None:
        """Tell the model's voxel size (z, y, x) in µm, where known."""
        self._voxel.set_model_size(size)

    def set_units_known(self, known: bool) -> None:
        """Offer measured units where the model's card knows them."""
        self._set_applies("measured_units", known)

    def _add_own(self, name: str, make: Any) -> Any:
        widget = make(self._fields[name].help)
        widget.changed.connect(self.changed)
        self._editors[name] = Editor(widget, widget.value, widget.set_value)
        return widget

    def _add_row(self, name: str) -> None:
        widget = self._editors[name].widget
        if isinstance(widget, TaskList):  # needs the whole width
            self._form.addRow(QLabel(self._fields[name].label))
            self._form.addRow(widget)
        else:
            super()._add_row(name)
