"""The dock that compares labels with the truth, in numbers and in colours."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_ssp.service import CompareRequest
from napari_ssp.widgets.compare.comparing import COLOURS, COMPARISON_KEY, list_object_labels
from napari_ssp.widgets.compare.view import ComparisonView
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.layers.alignment import check_same_place, labels_image
from napari_ssp.widgets.layers.images import full_level

if TYPE_CHECKING:
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
        self._prediction: weakref.ref[Labels] | None = None
        self._shown: weakref.WeakKeyDictionary[Labels, weakref.ref[Labels]] = (
            weakref.WeakKeyDictionary()
        )
        self.prediction_box = ChoiceBox("Labels layer to judge; follows the selected layer")
        self.truth_box = ChoiceBox("Labels layer that is right, e.g. drawn by hand")
        self.view = ComparisonView()
        form, rows = QWidget(), QFormLayout()
        form.setLayout(rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Prediction", self.prediction_box)
        rows.addRow("Truth", self.truth_box)
        self.add(form, self.panel, self.view)
        spec = JobSpec("comparison", self._propose, self._show_comparison, self._preparation)
        self.drive(JobController(spec, parent=self))
        for box in (self.prediction_box, self.truth_box):
            box.currentIndexChanged.connect(self._forget)
        self.watch(self._viewer, self._update_layers, self._follow_selection)

    def _propose(self) -> Proposal:
        prediction, truth = self.prediction_box.value(), self.truth_box.value()
        if self.truth_box.count() < 2:
            raise ValueError(_TOO_FEW)
        if prediction is truth:
            raise ValueError(
                f"Prediction and truth are the same layer, '{truth.name}'. Choose two layers."
            )
        check_same_place(prediction, truth)
        shape = tuple(full_level(prediction).shape)
        size = " × ".join(str(n) for n in shape[::-1])
        request = CompareRequest(labels_image(truth), labels_image(prediction))
        return Proposal(request, f"{size} px")

    def _preparation(self) -> None:
        self._prediction = weakref.ref(self.prediction_box.value())

    def _show_comparison(self, value: Comparison) -> None:
        prediction = self._prediction() if self._prediction else None
        if prediction is None or prediction not in self._viewer.layers:
            self.panel.set_message("The labels layer was removed meanwhile.", "warning")
            return
        layer = self._show_fates(value, prediction)
        self.view.set_comparison(value)
        self.panel.set_message(
            f"The colours are in the layer '{layer.name}'; the two label layers are hidden."
        )

    def _show_fates(self, value: Comparison, prediction: Labels) -> Labels:
        for other in (prediction, self.truth_box.value()):  # or the colours would mix
            other.visible = False
        known = self._shown.get(prediction)
        layer = known() if known else None
        if layer is not None and layer in self._viewer.layers:
            layer.data = value.image
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
            **_place_of(prediction),
        )
        self._shown[prediction] = weakref.ref(layer)
        return layer

    def _forget(self) -> None:
        """Take the numbers of other layers away."""
        self.view.set_comparison(None)
        self.panel.set_message("")
        self.controller.schedule()

    def _update_layers(self) -> None:
        labels = [(layer.name, layer) for layer in list_object_labels(self._viewer)]
        self.truth_box.set_choices(labels)
        self.prediction_box.set_choices(labels)
        self._tell_apart()
        self.controller.schedule()

    def _follow_selection(self) -> None:
        active = self._viewer.layers.selection.active
        if (
            active is not None
            and active in self.prediction_box
            and active is not self.truth_box.value()
        ):
            self.prediction_box.set_value(active)

    def _tell_apart(self) -> None:
        """Choose another layer as prediction where both are the same."""
        others = [layer for layer in self._viewer.layers if layer in self.prediction_box]
        others = [layer for layer in others if layer is not self.truth_box.value()]
        if others and self.prediction_box.value() is self.truth_box.value():
            self.prediction_box.set_value(others[-1])


_NAMES = {"index": [int(key) for key in COLOURS], "object": [key.name.lower() for key in COLOURS]}


def _place_of(layer: Labels) -> dict[str, Any]:
    names = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    return {name: getattr(layer, name) for name in names}
