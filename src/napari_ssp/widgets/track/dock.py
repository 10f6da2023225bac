"""The Track dock: objects of a labels layer with time become tracks, and files of them."""

from __future__ import annotations

import weakref
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_ssp.service import SaveTracksRequest, TrackRequest
from napari_ssp.service.tracking.linking import check_linking
from napari_ssp.service.tracking.steps import check_movie
from napari_ssp.widgets.compare.comparing import list_object_labels
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.label_watch import LabelWatch
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.forms.export_button import ExportButton, FileKind, ask_for_path
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.layers.images import layer_image
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.track.form import TrackForm
from napari_ssp.widgets.track.track_layers import TrackLayers, check_time_first, ready_tracks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from napari.layers import Labels

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import ModelService, Tracks
    from napari_ssp.widgets.track.track_layers import ShownTracks

_NO_LABELS = (
    "There are no labels to follow. Segment all planes of a time series first, or open a label "
    "image and choose 'Convert to Labels' in the layer's menu."
)
_KINDS = (
    FileKind("Table", ".csv"),
    FileKind("Graph (GEFF)", ".geff"),
    FileKind("Folder of the Cell Tracking Challenge", ""),
    FileKind("OME-TIFF labels", ".ome.tif"),
    FileKind("OME-Zarr labels", ".ome.zarr"),
)


class TrackDock(JobDock):
    """Follows objects of a viewer's labels layers over time and saves their tracks.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where layers come from; gets the tracks.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(RunPanel("Follow the objects from frame to frame", "Track"))
        self._viewer = own_viewer(napari_viewer)
        self._tracked: tuple[LayerState, ...] = ()
        self._known: weakref.WeakKeyDictionary[Labels, Tracks] = weakref.WeakKeyDictionary()
        self._followed: weakref.WeakKeyDictionary[Labels, Tracks] = weakref.WeakKeyDictionary()
        self.labels_box = ChoiceBox("Labels layer with time; follows the selected layer")
        self.form = TrackForm()
        self.label_watch = LabelWatch(self)
        self.layers = TrackLayers(self._viewer)
        self.export_button = ExportButton("Export…", _KINDS)
        spec = JobSpec("tracking", self._propose, self._show, self._preparation)
        self.drive(JobController(spec, service, self), self._viewer)
        rows = QFormLayout(row := QWidget())
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Labels", self.labels_box)
        self.add(row, self.form, self.panel, self.export_button)
        self.labels_box.currentIndexChanged.connect(self._follow_labels)
        self.form.changed.connect(self.controller.schedule)
        self.label_watch.looked.connect(self.controller.schedule)
        self.left.connect(self.label_watch.close)
        self.export_button.chosen.connect(self.save)
        self.watch(self._viewer, self._update_layers, self._follow_selection)
        self._follow_labels()

    def save(self, kind: FileKind) -> None:
        """Ask for a name and write the tracks of the chosen labels, on the worker."""
        layer = self.labels_box.value()
        tracks = self._known.get(layer) if layer is not None else None
        if tracks is None or self.controller.is_running:
            return
        answer = ask_for_path(self, f"{layer.name} tracks", kind)
        if answer is not None:
            source = layer_image(layer) if self._followed.get(layer) is tracks else None
            request = SaveTracksRequest(answer[0], tracks, answer[1], source)
            self.controller.start(request, self._show_saved, noun="saving")

    def _propose(self) -> Proposal:
        layer = self.labels_box.value()
        if layer is None:
            raise ValueError(_NO_LABELS)
        labels, choices = layer_image(layer), self.form.value()
        self.form.set_unit("px" if labels.voxel_size is None else "µm")
        check_movie(labels)
        check_time_first(layer)
        check_linking(choices.linking)
        request = TrackRequest(labels, **asdict(choices))
        return Proposal(request, _summary(labels), self.label_watch.look_at([layer], []))

    def _preparation(self) -> Callable[[Any], Any]:
        layer = self.labels_box.value()
        self._tracked = (LayerState(layer),)
        return partial(ready_tracks, layer=layer)

    def _show(self, value: ShownTracks) -> None:
        lost = lost_reason(self._tracked, self._viewer, "tracking")
        if lost is not None:
            self.panel.set_message(lost, "warning")
            return
        source = self._tracked[0].layer
        labels = self.layers.show(value, source)
        self._known[source] = self._followed[source] = self._known[labels] = value.tracks
        self._show_what_can_be_saved()
        self.panel.set_message(_result_line(value.tracks))

    def _show_saved(self, path: Path) -> None:
        self.panel.set_message(f"Saved {path}.")

    def _update_layers(self) -> None:
        labels = list_object_labels(self._viewer)
        self.labels_box.set_choices([(layer.name, layer) for layer in labels])
        self.controller.schedule()

    def _follow_selection(self) -> None:
        """Turn to the layer that is selected, unless it is a result that nobody has changed."""
        active = self._viewer.layers.selection.active
        if active in self.labels_box and not self.layers.is_result(active):
            self.labels_box.set_value(active)

    def _follow_labels(self) -> None:
        if not self.controller.is_running:
            self.panel.set_message("")
        self._show_what_can_be_saved()
        self.controller.schedule()

    def _show_what_can_be_saved(self) -> None:
        layer = self.labels_box.value()
        known = layer is not None and layer in self._known
        self.export_button.setEnabled(known)
        words = "Save the tracks as a table, a graph, a folder or labels"
        self.export_button.setToolTip(words if known else "Track the objects first")


def _summary(labels: MicroscopyImage) -> str:
    size = " × ".join(str(labels.sizes[axis]) for axis in "xyz" if axis in labels.axes)
    return f"{labels.sizes['t']} frames, {size} px"


def _result_line(tracks: Tracks) -> str:
    count, divisions = tracks.num_tracks, len(set(tracks.parents.values()))
    longest = int(np.bincount(tracks.table["track"]).max())
    return (
        f"{count} track{'s'[: count != 1]}, {divisions} division{'s'[: divisions != 1]}, the "
        f"longest through {longest} frames. Labels have the numbers of the tracks."
    )
