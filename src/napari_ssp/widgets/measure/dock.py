"""The Measure dock: a table of the objects of a labels layer, and files of them."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QPushButton,
    QWidget,
)

from napari_ssp.measure import ManyObjectsError
from napari_ssp.service import MeasureRequest, SaveObjectsRequest
from napari_ssp.widgets.compare.comparing import list_object_labels
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.forms.task_list import TaskList
from napari_ssp.widgets.layers.alignment import image_under, labels_image
from napari_ssp.widgets.layers.result_layers import METADATA_KEY
from napari_ssp.widgets.measure.object_table import (
    CSV,
    KINDS,
    FileKind,
    as_features,
    from_features,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari
    from napari.layers import Labels

    from napari_ssp.image import MicroscopyImage

_NO_LABELS = (
    "There are no labels to measure. Segment an image first, or open a label image and choose "
    "'Convert to Labels' in the layer's menu."
)
_NO_SIZE = "No pixel size is known, so sizes are in pixels. Set the layer's scale and units for µm."


class MeasureDock(JobDock):
    """Measures objects of a viewer's labels layers and saves them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where layers come from.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        help_text = "Measure every object: the table becomes the layer's features"
        super().__init__(RunPanel(help_text, "Measure"))
        self._viewer = own_viewer(napari_viewer)
        self._labels: weakref.ref[Labels] | None = None
        self.labels_box = ChoiceBox("Labels layer to measure; follows the selected layer")
        self.image_list = TaskList("Image layer whose intensities are measured")
        self.planewise = QCheckBox("Planes one by one")
        self.planewise.setVisible(False)
        self.planewise.setToolTip("A row for each object and plane, instead of whole volumes")
        self.table_button = QPushButton("Show table")
        self.save_button = QPushButton("Save CSV…")
        self.export_button = QPushButton("Export…")
        spec = JobSpec(
            "measurement",
            self._propose,
            self._show_features,
            self._preparation,
            self._ask_about_many,
        )
        self.drive(JobController(spec, parent=self))
        self._lay_out()
        self._connect()
        self.watch(self._viewer, self._update_layers, self._follow_selection)

    def save(self, kind: FileKind) -> None:
        """Ask for a name and write a file, on the worker."""
        layer = self.labels_box.value()
        if layer is None or self.controller.is_running:
            return
        suggested = str(Path.home() / f"{layer.name}{kind.suffix}")
        pattern = f"{kind.name} (*{kind.suffix})"
        text, _ = QFileDialog.getSaveFileName(self, f"Save {kind.name}", suggested, pattern)
        if not text:
            return
        path = Path(text)
        is_whole = path.name.lower().endswith(kind.suffix)
        # The dialog has asked about the name that was typed, not about one that is made longer.
        path = path if is_whole else path.with_name(path.name + kind.suffix)
        table = from_features(layer.features) if len(layer.features) else None
        request = SaveObjectsRequest(path, labels_image(layer), table, is_whole)
        self.controller.start(request, self._show_saved)

    def show_table(self) -> None:
        """Open napari's table of the layer's features, below the canvas: it is wide."""
        self._viewer.layers.selection.active = self.labels_box.value()
        window = self._viewer.window
        frame, _ = window.add_plugin_dock_widget("napari", "Features table widget")
        main: Any = frame.parent()
        main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, frame)
        frame.show()

    def _propose(self) -> Proposal:
        layer = self.labels_box.value()
        self._show_what_can_be_saved(layer)
        if layer is None:
            raise ValueError(_NO_LABELS)
        labels = labels_image(layer)
        self.planewise.setVisible(labels.sizes.get("z", 1) > 1)
        images = [image_under(self._viewer.layers[name], layer) for name in self.image_list.value()]
        planewise = self.planewise.isChecked() and not self.planewise.isHidden()
        request = MeasureRequest(labels, tuple(images), planewise)
        known = [image.voxel_size for image in (labels, *images) if image.voxel_size]
        return Proposal(request, _summary(labels, images), () if known else (_NO_SIZE,))

    def _preparation(self) -> Callable[[Any], Any]:
        self._labels = weakref.ref(self.labels_box.value())
        return as_features

    def _ask_about_many(self, error: BaseException | None) -> None:
        """Ask whether what looks like an image is to be measured as labels."""
        if not isinstance(error, ManyObjectsError):
            return
        found = QMessageBox.question(self, "Measure", f"{error} Measure it nevertheless?")
        if found == QMessageBox.StandardButton.Yes:
            agreed = replace(self._propose().request, many_objects=True)
            self.controller.start(agreed, self._show_features, self._preparation())

    def _show_saved(self, path: Path) -> None:
        self.panel.set_message(f"Saved {path}.")

    def _show_features(self, features: dict[str, Any]) -> None:
        layer = self._labels() if self._labels else None
        if layer is None or layer not in self._viewer.layers:
            self.panel.set_message("The labels layer was removed meanwhile.", "warning")
            return
        layer.features = features
        self._show_what_can_be_saved(self.labels_box.value())
        self.panel.set_message(_result_line(features))

    def _update_layers(self) -> None:
        layers = self._viewer.layers
        labels = list_object_labels(self._viewer)
        self.labels_box.set_choices([(layer.name, layer) for layer in labels])
        images = [layer for layer in layers if isinstance(layer, Image)]
        self.image_list.set_tasks([(layer.name, "") for layer in images])
        self.controller.schedule()

    def _follow_selection(self) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and active in self.labels_box:
            self.labels_box.set_value(active)

    def _suggest_images(self) -> None:
        """Tick the images that lie under the labels; predicted ones are offered only."""
        labels = self.labels_box.value()
        if labels is None:
            return
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        fitting = [layer.name for layer in images if _fits(layer, labels)]
        self.image_list.set_value(fitting)
        self.controller.schedule()

    def _show_what_can_be_saved(self, layer: Labels | None) -> None:
        measured = layer is not None and len(layer.features) > 0
        for button in (self.save_button, self.table_button):
            button.setEnabled(measured)
        self.save_button.setToolTip("Save the table" if measured else "Measure the objects first")
        self.table_button.setToolTip(
            "Open napari's table; a click on a row selects its object"
            if measured
            else "Measure the objects first"
        )
        self.export_button.setEnabled(layer is not None)

    def _connect(self) -> None:
        self.labels_box.currentIndexChanged.connect(self._suggest_images)
        self.image_list.changed.connect(self.controller.schedule)
        self.planewise.toggled.connect(self.controller.schedule)
        self.table_button.clicked.connect(self.show_table)
        self.save_button.clicked.connect(self._save_table)

    def _save_table(self) -> None:
        self.save(CSV)

    def _export(self, action: Any) -> None:
        self.save(action.data())

    def _lay_out(self) -> None:
        form, rows = QWidget(), QFormLayout()
        form.setLayout(rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Labels", self.labels_box)
        rows.addRow("Intensities in", self.image_list)
        rows.addRow(self.planewise)
        menu = QMenu(self.export_button)
        for kind in KINDS:
            action: Any = menu.addAction(f"{kind.name} ({kind.suffix})")
            action.setData(kind)
        menu.triggered.connect(self._export)
        self.export_button.setMenu(menu)
        buttons, row = QWidget(), QHBoxLayout()
        buttons.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.table_button, self.save_button, self.export_button):
            row.addWidget(button)
        self.add(form, self.panel, buttons)


def _fits(layer: Image, labels: Labels) -> bool:
    if METADATA_KEY in layer.metadata:
        return False
    try:
        image_under(layer, labels)
    except (ValueError, TypeError):
        return False
    return True


def _summary(labels: MicroscopyImage, images: Sequence[MicroscopyImage]) -> str:
    size = " × ".join(str(n) for n in labels.shape[::-1])
    if not images:
        return f"{size} px, sizes and shapes, no intensities"
    channels = sum(3 if image.rgb else image.num_channels for image in images)
    return f"{size} px, sizes and shapes, intensities in {channels} channel{'s'[: channels > 1]}"


def _result_line(features: dict[str, Any]) -> str:
    rows, objects = len(features["index"]), len(set(features["index"].tolist()))
    noun = "object" if objects == 1 else "objects"
    if rows > objects:
        return (
            f"Measured {objects} {noun} in {rows} rows, one per plane or frame. 'Show table' has "
            "all of them; the status bar shows the last row of the object under the pointer."
        )
    return (
        f"Measured {objects} {noun}. Point at one to read its values in the status bar, or click "
        "'Show table'."
    )
