"""The dock that compares labels with the truth, in numbers and in colours."""

from __future__ import annotations

import weakref
from math import prod
from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QToolButton, QWidget

from napari_ssp.place import PLACES
from napari_ssp.service import CompareRequest
from napari_ssp.widgets.compare.comparing import (
    COLOURS,
    COMPARISON_KEY,
    is_predicted,
    list_object_labels,
)
from napari_ssp.widgets.compare.view import ComparisonView
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.layers.alignment import place_of, same_part
from napari_ssp.widgets.layers.images import full_level, in_layer, layer_axes
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.layers.placement import move_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from napari.layers import Labels

    from napari_ssp.service import Comparison

_TOO_FEW = (
    "Two label layers are needed: a segmentation and its truth. Drop the label image that somebody "
    "drew on the viewer, and choose 'Convert to Labels' in its layer's menu if it came as an image."
)


class CompareDock(JobDock):
    """Compares two labels layers of a viewer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where layers come from; gets a layer of the objects' fates.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(RunPanel("Compare the two layers, object by object", "Compare"))
        self._viewer = own_viewer(napari_viewer)
        self._compared: tuple[LayerState, ...] = ()
        self._start: Sequence[int] = ()
        self._shown: weakref.WeakKeyDictionary[Labels, weakref.ref[Labels]] = (
            weakref.WeakKeyDictionary()
        )
        self._is_chosen = False
        self._offered: list[Labels] = []
        self.prediction_box = ChoiceBox("Labels layer to judge; follows the selected layer")
        self.truth_box = ChoiceBox("Labels layer that is right, e.g. drawn by hand")
        self.swap_button = QToolButton()
        self.swap_button.setText("⇄")
        self.swap_button.setToolTip("Swap prediction and truth")
        self.swap_button.clicked.connect(self.swap)
        self.view = ComparisonView()
        self.add(self._make_form(), self.panel, self.view)
        spec = JobSpec("comparison", self._propose, self._show_comparison, self._preparation)
        self.drive(JobController(spec, parent=self), self._viewer)
        for box in (self.prediction_box, self.truth_box):
            box.currentIndexChanged.connect(self._forget)
            box.activated.connect(self._note_choice)
        self.watch(self._viewer, self._update_layers, self._follow_selection)

    def swap(self) -> None:
        """Judge the other one of the two layers, as the ⇄ button does."""
        prediction, truth = self.prediction_box.value(), self.truth_box.value()
        self._is_chosen = True
        self.prediction_box.set_value(truth)
        self.truth_box.set_value(prediction)

    def _make_form(self) -> QWidget:
        form, rows, boxes = QWidget(), QFormLayout(), QWidget()
        line = QHBoxLayout(form)
        line.setContentsMargins(0, 0, 0, 0)
        boxes.setLayout(rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Prediction", self.prediction_box)
        rows.addRow("Truth", self.truth_box)
        line.addWidget(boxes, 1)
        line.addWidget(self.swap_button)
        return form

    def _propose(self) -> Proposal:
        prediction, truth = self.prediction_box.value(), self.truth_box.value()
        if self.truth_box.count() < 2:
            raise ValueError(_TOO_FEW)
        if prediction is truth:
            raise ValueError(
                f"Prediction and truth are the same layer, '{truth.name}'. Choose two layers."
            )
        found, true = same_part(prediction, truth)
        whole = max((full_level(layer).shape for layer in (prediction, truth)), key=prod)
        of_whole = f" of {_size(whole)}" if prod(whole) > prod(found.shape) else ""
        return Proposal(CompareRequest(true, found), f"{_size(found.shape)}{of_whole} px")

    def _preparation(self) -> None:
        prediction, truth = self.prediction_box.value(), self.truth_box.value()
        self._compared = (LayerState(prediction), LayerState(truth))
        origin = same_part(prediction, truth)[0].origin
        firsts = dict(zip(PLACES, in_layer(prediction, origin), strict=True))
        self._start = [firsts.get(axis, 0) for axis in layer_axes(prediction)]

    def _show_comparison(self, value: Comparison) -> None:
        lost = lost_reason(self._compared, self._viewer, "comparison")
        if lost is not None:
            self.panel.set_message(lost, "warning")
            return
        layer = self._show_fates(value, *(state.layer for state in self._compared))
        self.view.set_comparison(value)
        self.panel.set_message(
            f"The colours are in the layer '{layer.name}'; the two label layers are hidden."
        )

    def _show_fates(self, value: Comparison, prediction: Labels, truth: Labels) -> Labels:
        prediction.visible = truth.visible = False  # or the colours would mix
        place = place_of(prediction, self._start)
        known = self._shown.get(prediction)
        layer = known() if known else None
        if layer is not None and layer in self._viewer.layers:
            layer.data = value.image
            move_layer(layer, place)
            return layer
        colours: dict[int | None, Any] = {int(key): colour for key, colour in COLOURS.items()}
        layer = self._viewer.add_labels(
            value.image,
            name=f"{prediction.name} against the truth",
            colormap=DirectLabelColormap(
                color_dict={None: "transparent", 0: "transparent"} | colours
            ),
            features=_NAMES,
            metadata={COMPARISON_KEY: True},
            **place,
        )
        self._shown[prediction] = weakref.ref(layer)
        return layer

    def _forget(self) -> None:
        """Take the numbers of other layers away."""
        self.view.set_comparison(None)
        self.panel.set_message("")
        self.controller.schedule()

    def _note_choice(self) -> None:
        """Leave alone from now on what a person has chosen."""
        self._is_chosen = True

    def _update_layers(self) -> None:
        labels = list_object_labels(self._viewer)
        before = (self.prediction_box.value(), self.truth_box.value())
        is_new = set(labels) != set(self._offered)
        self._offered = labels
        for box in (self.truth_box, self.prediction_box):
            box.set_choices([(layer.name, layer) for layer in labels])
        if not set(before) <= set(labels):
            self._is_chosen = False
        if is_new and not self._is_chosen:
            self._tell_apart(labels)
        self.controller.schedule()

    def _follow_selection(self) -> None:
        """Take the selected layer for what it is: ours, or drawn by somebody."""
        active = self._viewer.layers.selection.active
        if active is None or active not in self.prediction_box:
            return
        prediction, truth = self.prediction_box.value(), self.truth_box.value()
        if active is prediction or active is truth:
            return
        is_truth = not is_predicted(active) and is_predicted(prediction)
        (self.truth_box if is_truth else self.prediction_box).set_value(active)

    def _tell_apart(self, labels: Sequence[Labels]) -> None:
        """Choose what we have predicted as prediction, and what somebody has drawn as truth."""
        ours = [layer for layer in labels if is_predicted(layer)]
        drawn = [layer for layer in labels if not is_predicted(layer)]
        truth = next(iter([*drawn, *ours]), None)
        prediction = next(iter([*reversed(ours), *reversed(drawn)]), None)
        self.truth_box.set_value(truth)
        self.prediction_box.set_value(prediction)


def _size(shape: Sequence[int]) -> str:
    return " × ".join(str(n) for n in shape[::-1])


_NAMES = {"index": [int(key) for key in COLOURS], "object": [key.name.lower() for key in COLOURS]}
