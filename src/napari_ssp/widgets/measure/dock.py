"""The Measure dock: a table of the objects of a labels layer, and files of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QMessageBox, QPushButton, QWidget

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.measure import ManyObjectsError
from napari_ssp.service import (
    MeasureEditableRequest,
    MeasureRequest,
    NumberPartsRequest,
    SaveObjectsRequest,
)
from napari_ssp.service.measuring import TABLE_SUFFIX
from napari_ssp.widgets.compare.comparing import list_object_labels
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.label_watch import LabelWatch, PartsButton
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.forms.export_button import ExportButton, FileKind, ask_for_path
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.forms.task_list import TaskList
from napari_ssp.widgets.layers.alignment import image_under, lies_on, place_of
from napari_ssp.widgets.layers.images import layer_image
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.layers.object_classes import class_colors
from napari_ssp.widgets.measure.colour_row import ColourRow
from napari_ssp.widgets.measure.freshness import MEASURED_KEY, Freshness, is_outdated
from napari_ssp.widgets.measure.label_colours import LabelColours, columns
from napari_ssp.widgets.measure.object_table import CSV, KINDS, from_features, measured_again
from napari_ssp.widgets.measure.table_link import TableLink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import napari
    from napari.layers import Labels

    from napari_ssp.image import MicroscopyImage

_NO_LABELS = (
    "There are no labels to measure. Segment an image first, or open a label image and choose "
    "'Convert to Labels' in the layer's menu."
)
_NO_NUCLEI = ("No nuclei", None)
_OLD = "The table is older than the labels: measure again before you save or read it."
_OUTDATED = (
    "Nothing was saved: pixel size, intensities or nuclei were changed after the objects were "
    "measured. Measure again."
)
_WITH_TABLE = (TABLE_SUFFIX, ".geojson")
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
        self._measured: tuple[LayerState, ...] = ()
        self.labels_box = ChoiceBox("Labels layer to measure; follows the selected layer")
        self.nuclei_box = ChoiceBox("Labels of the nuclei, where the objects are cells")
        self.image_list = TaskList("Image layer whose intensities are measured")
        self.planewise = QCheckBox("Planes one by one")
        self.planewise.setVisible(False)
        self.planewise.setToolTip("A row for each object and plane, instead of whole volumes")
        self.parts_button, self.label_watch = PartsButton(), LabelWatch(self)
        self.colours = ColourRow()
        self._label_colours = LabelColours()
        self._freshness = Freshness(self)
        self.table = TableLink(self._viewer, self._freshness, self)
        self.table_button = QPushButton("Show table")
        self.save_button = QPushButton("Save CSV…")
        self.export_button = ExportButton("Export…", KINDS)
        work = (self._propose, self._show_features, self._preparation, self._ask_about_many)
        self.drive(JobController(JobSpec("measurement", *work), parent=self), self._viewer)
        self._lay_out()
        self._connect()
        self.watch(self._viewer, self._update_layers, self._follow_selection)

    def save(self, kind: FileKind) -> None:
        """Ask for a name and write a file, on the worker."""
        layer = self.labels_box.value()
        if layer is None or self.controller.is_running:
            return
        if kind.suffix in _WITH_TABLE and is_outdated(layer):
            self.panel.set_message(_OUTDATED, "warning")
            return
        answer = ask_for_path(self, layer.name, kind)
        if answer is None:
            return
        path, overwrite = answer
        table = from_features(layer.features) if len(layer.features) else None
        digest = layer.metadata.get(MEASURED_KEY) if table else None
        request = SaveObjectsRequest(
            path, layer_image(layer), table, overwrite, digest, class_colors(layer)
        )
        self.controller.start(request, self._show_saved, noun="saving")

    def show_table(self) -> None:
        """Open the table of the layer's objects, below the canvas: it is wide."""
        layer = self.labels_box.value()
        if layer is not None:
            self.table.open(layer)

    def number_parts(self) -> None:
        """Give each part of a mask a number in a new layer, as the button does."""
        layer = self.labels_box.value()
        if layer is not None and not self.controller.is_running:
            self._measured = (LayerState(layer),)
            request = NumberPartsRequest(layer_image(layer))
            self.controller.start(request, self._show_numbered, noun="numbering")

    def _propose(self) -> Proposal:
        layer = self.labels_box.value()
        self._show_what_can_be_saved(layer)
        if layer is None:
            raise ValueError(_NO_LABELS)
        labels = layer_image(layer)
        self.planewise.setVisible(labels.sizes.get("z", 1) > 1)
        chosen = [self._viewer.layers[name] for name in self.image_list.value()]
        images = [image_under(one, layer) for one in chosen]
        inside = self.nuclei_box.value()
        nuclei = None if inside is None else image_under(inside, layer)
        doubts = self.label_watch.look_at([layer], chosen)
        self.parts_button.offer(doubts)
        planewise = self.planewise.isChecked() and not self.planewise.isHidden()
        request = MeasureRequest(labels, tuple(images), planewise, nuclei=nuclei)
        known = [image.voxel_size for image in (labels, *images) if image.voxel_size]
        warnings = (() if known else (_NO_SIZE,)) + ((_OLD,) if self._is_old() else ())
        ratios = "" if nuclei is None else f", nuclei in '{nuclei.name}' and ratios"
        summary = _summary(labels, images) + ratios
        return Proposal(MeasureEditableRequest(request), summary, (*doubts, *warnings))

    def _preparation(self) -> Callable[[Any], Any]:
        layer = self.labels_box.value()
        images = [self._viewer.layers[name] for name in self.image_list.value()]
        read = filter(None, (layer, self.nuclei_box.value(), *images))
        self._measured = tuple(map(LayerState, read))
        return partial(measured_again, before=layer.features)

    def _ask_about_many(self, error: BaseException | None) -> None:
        """Ask whether what looks like an image is to be measured as labels."""
        request = self._propose().request if isinstance(error, ManyObjectsError) else None
        if not isinstance(request, MeasureEditableRequest):
            return
        found = QMessageBox.question(self, "Measure", f"{error} Measure it nevertheless?")
        if found == QMessageBox.StandardButton.Yes:
            agreed = replace(request, measure=replace(request.measure, many_objects=True))
            self.controller.start(agreed, self._show_features, self._preparation())

    def _show_saved(self, path: Path) -> None:
        self.panel.set_message(f"Saved {path}.")

    def _show_numbered(self, numbers: Any) -> None:
        lost = lost_reason(self._measured, self._viewer, "numbering")
        if lost is not None:
            self.panel.set_message(lost, "warning")
            return
        layer = self._measured[0].layer
        layer.visible = False
        self._viewer.add_labels(numbers, name=f"{layer.name} parts", **place_of(layer))
        self.panel.set_message(f"Numbered {int(numbers.max(initial=0))} parts in a new layer.")

    def _show_features(self, value: tuple[dict[str, Any], str]) -> None:
        features, digest = value
        lost = lost_reason(self._measured, self._viewer, "measurement")
        if lost is not None:
            self.panel.set_message(lost, "warning")
            return
        layer = self._measured[0].layer
        layer.features = features
        others = [state.layer for state in self._measured[1:]]
        self._freshness.note_measured(layer, digest, others)
        self.panel.set_message(_result_line(features))

    def _update_layers(self) -> None:
        layers = self._viewer.layers
        labels = list_object_labels(self._viewer)
        self.labels_box.set_choices([(layer.name, layer) for layer in labels])
        images = [layer for layer in layers if isinstance(layer, Image)]
        self.image_list.set_tasks([(layer.name, "") for layer in images])
        self._offer_nuclei()
        self.controller.schedule()

    def _follow_selection(self) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and active in self.labels_box:
            self.labels_box.set_value(active)

    def _is_old(self) -> bool:
        return self._freshness.is_old(self.labels_box.value())

    def _follow_labels(self) -> None:
        """Show what is known of the chosen labels: table, age, colours."""
        layer = self.labels_box.value()
        self._freshness.follow(layer)
        self.table.follow(layer)
        self._show_what_is_known()

    def _show_what_is_known(self) -> None:
        """Offer what the features allow; a column that is gone gives the colours back."""
        layer = self.labels_box.value()
        self._show_what_can_be_saved(layer)
        names = columns(layer) if layer is not None else []
        column = self._label_colours.column(layer) if layer is not None else None
        self.colours.set_columns(names, column)
        self._colour(column if column in names else None)

    def _colour(self, column: str | None) -> None:
        layer = self.labels_box.value()
        limits = None
        if layer is not None and column is not None:
            limits = self._label_colours.colour(layer, column)
        elif layer is not None:
            self._label_colours.restore(layer)
        self.colours.set_limits(limits)

    def _show_age(self) -> None:
        self._show_what_can_be_saved(self.labels_box.value())
        self.controller.schedule()

    def _forget_result(self) -> None:
        """Take away what was said about other labels."""
        if not self.controller.is_running:
            self.panel.set_message("")

    def _leave(self) -> None:
        self.table.close()
        self._freshness.close()

    def _offer_nuclei(self) -> None:
        """Offer the other labels layers as nuclei; those of the same run are proposed."""
        cells = self.labels_box.value()
        others = [layer for layer in self.labels_box.values() if layer is not cells]
        self.nuclei_box.set_choices([_NO_NUCLEI, *((layer.name, layer) for layer in others)])

    def _suggest_nuclei(self) -> None:
        """Choose the nuclei that belong to cells by their name."""
        self._offer_nuclei()
        cells = self.labels_box.value()
        wanted = cells.name.replace("cells", "nuclei") if cells is not None else ""
        own = (layer for layer in self.nuclei_box.values() if layer and layer.name == wanted)
        self.nuclei_box.set_value(next(own, None))

    def _suggest_images(self) -> None:
        """Tick the images that lie under the labels; predicted ones are offered only."""
        labels = self.labels_box.value()
        if labels is None:
            return
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        known = [layer for layer in images if METADATA_KEY not in layer.metadata]
        fitting = [layer.name for layer in known if lies_on(labels, layer)]
        self.image_list.set_value(fitting)
        self.controller.schedule()

    def _show_what_can_be_saved(self, layer: Labels | None) -> None:
        known, old = layer is not None and len(layer.features) > 0, self._is_old()
        self.table_button.setEnabled(known)
        self.save_button.setEnabled(known and not old)
        first = "Measure the objects first"
        save = _OLD if old else "Save the table as a CSV file"
        self.save_button.setToolTip(save if known else first)
        table = "Open the table; a click on a row shows its object"
        self.table_button.setToolTip(table if known else first)
        self.export_button.setEnabled(layer is not None)

    def _connect(self) -> None:
        self.labels_box.currentIndexChanged.connect(self._suggest_images)
        self.labels_box.currentIndexChanged.connect(self._suggest_nuclei)
        self.nuclei_box.currentIndexChanged.connect(self.controller.schedule)
        self.labels_box.currentIndexChanged.connect(self._forget_result)
        self.labels_box.currentIndexChanged.connect(self._follow_labels)
        self._freshness.changed.connect(self._show_age)
        self._freshness.renewed.connect(self._show_what_is_known)
        self.table.measure_clicked.connect(self.run)
        self.colours.changed.connect(self._colour)
        self.left.connect(self._leave)
        self.image_list.changed.connect(self.controller.schedule)
        self.planewise.toggled.connect(self.controller.schedule)
        self.label_watch.looked.connect(self.controller.schedule)
        self.left.connect(self.label_watch.close)
        self.parts_button.clicked.connect(self.number_parts)
        self.table_button.clicked.connect(self.show_table)
        self.save_button.clicked.connect(self._save_table)
        self.export_button.chosen.connect(self.save)

    def _save_table(self) -> None:
        self.save(CSV)

    def _lay_out(self) -> None:
        form, rows = QWidget(), QFormLayout()
        form.setLayout(rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Labels", self.labels_box)
        rows.addRow("Nuclei", self.nuclei_box)
        rows.addRow("Intensities in", self.image_list)
        rows.addRow(self.planewise)
        self.export_button.setToolTip("Save outlines or labels for ImageJ, QuPath and others")
        buttons, row = QWidget(), QHBoxLayout()
        buttons.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.table_button, self.save_button, self.export_button):
            row.addWidget(button)
        self.add(form, self.parts_button, self.panel, buttons, self.colours)


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
