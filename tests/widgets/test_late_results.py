"""Results that come when their layer is another one by now: dropped, and said."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run, settle

from napari_ssp.service import PlanRequest, Thresholds
from napari_ssp.widgets.compare.dock import CompareDock
from napari_ssp.widgets.measure.dock import MeasureDock

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from napari.layers import Layer
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.docks.job_dock import JobDock
    from napari_ssp.widgets.predict.dock import PredictDock
    from napari_ssp.widgets.segment.dock import SegmentDock


def replace_data(layer: Any) -> None:
    layer.data = np.array(layer.data[::-1])


def rescale(layer: Layer) -> None:
    layer.scale = 3 * np.asarray(layer.scale)


def rename_axes(layer: Layer) -> None:
    layer.axis_labels = ("x", "y")


def start_and_change(
    dock: JobDock, qtbot: QtBot, start: Callable[[], None], change: Callable[[], None]
) -> str:
    """Start, and change layers before the result can come; then read what the dock says."""
    settle(dock, qtbot)
    with qtbot.waitSignal(dock.done, timeout=LONG):
        start()
        change()
    return dock.panel.message.text()


@pytest.mark.parametrize("change", [replace_data, rescale, rename_axes])
def test_a_segmentation_of_another_image_is_dropped(
    viewer: napari.Viewer,
    dock: SegmentDock,
    nuclei: NDArray[Any],
    qtbot: QtBot,
    change: Callable[[Layer], None],
) -> None:
    image = viewer.add_image(nuclei, name="n")
    text = start_and_change(dock, qtbot, dock.panel.run_button.click, lambda: change(image))
    assert text == (
        "'n' was changed during its segmentation, so the result is not shown. Run again."
    )
    assert list(viewer.layers) == [image]
    assert dock.panel.run_button.isEnabled()


def test_a_layer_that_only_moved_gets_its_result(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    image = viewer.add_image(nuclei, name="n")

    def move() -> None:
        image.translate = (5, 6)
        image.contrast_limits = (0, 99)

    start_and_change(dock, qtbot, dock.panel.run_button.click, move)
    np.testing.assert_array_equal(viewer.layers["n labels"].translate, (5, 6))


def test_what_was_estimated_of_another_image_is_dropped(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    image = viewer.add_image(nuclei, name="n")
    settle(dock, qtbot)
    request = dock.update_plan()
    assert request is not None
    shown: list[Any] = []

    def look() -> None:  # quicker than an estimate of the diameter, which goes the same way
        dock.layers.look(PlanRequest(request), shown.append, noun="look")

    assert "'n' was changed" in start_and_change(dock, qtbot, look, lambda: replace_data(image))
    assert shown == []
    with qtbot.waitSignal(dock.done, timeout=LONG):
        look()
    assert len(shown) == 1


def test_sliders_leave_the_labels_of_another_image_alone(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    image = viewer.add_image(nuclei, name="n")
    run(dock, qtbot)
    before = viewer.layers["n labels"].data.copy()
    replace_data(image)
    dock.refining.panel.set_value(Thresholds(0.9))
    assert "'n' was changed" in dock.refining.panel.message.text()
    np.testing.assert_array_equal(viewer.layers["n labels"].data, before)
    assert len(viewer.layers) == 2


def test_a_prediction_of_another_stack_is_dropped(
    viewer: napari.Viewer, predict_dock: PredictDock, stack: NDArray[Any], qtbot: QtBot
) -> None:
    image = viewer.add_image(stack, name="s", axis_labels=tuple("zyx"))
    settle(predict_dock, qtbot)
    choices = replace(predict_dock.form.value(), tasks=("dna",))
    predict_dock.form.set_value(choices)
    text = start_and_change(
        predict_dock, qtbot, predict_dock.panel.run_button.click, lambda: replace_data(image)
    )
    assert "'s' was changed during its prediction" in text
    assert list(viewer.layers) == [image]


@pytest.mark.parametrize("changed", ["labels", "image"])
def test_measurements_of_other_pixels_are_dropped(
    viewer: napari.Viewer, nuclei: NDArray[Any], qtbot: QtBot, changed: str
) -> None:
    dock = MeasureDock(viewer)
    viewer.window.add_dock_widget(dock)
    viewer.add_image(nuclei, name="image")
    labels = viewer.add_labels((nuclei > 90).astype(int), name="labels")
    text = start_and_change(
        dock, qtbot, dock.panel.run_button.click, lambda: replace_data(viewer.layers[changed])
    )
    assert f"'{changed}' was changed during its measurement" in text
    assert len(labels.features) == 0


@pytest.mark.parametrize("changed", ["truth", "found"])
def test_a_comparison_of_other_labels_is_dropped(
    viewer: napari.Viewer, nuclei: NDArray[Any], qtbot: QtBot, changed: str
) -> None:
    dock = CompareDock(viewer)
    viewer.window.add_dock_widget(dock)
    for name in ("truth", "found"):
        viewer.add_labels((nuclei > 90).astype(int), name=name)
    text = start_and_change(
        dock, qtbot, dock.panel.run_button.click, lambda: replace_data(viewer.layers[changed])
    )
    assert f"'{changed}' was changed during its comparison" in text
    assert len(viewer.layers) == 2


def test_pixels_of_removed_layers_are_let_go(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    compare, measure = CompareDock(viewer), MeasureDock(viewer)
    for other in (compare, measure):
        viewer.window.add_dock_widget(other)
    viewer.add_image(nuclei.copy(), name="n")
    viewer.add_labels((nuclei > 90).astype(int), name="truth")
    run(dock, qtbot)
    for other in (measure, compare):
        run(other, qtbot)
    arrays = {layer.name: weakref.ref(layer.data) for layer in viewer.layers}
    viewer.layers.clear()
    for each in (dock, measure, compare):
        settle(each, qtbot)
    gc.collect()
    assert [name for name, array in arrays.items() if array() is not None] == []
