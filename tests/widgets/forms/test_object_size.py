"""The size of objects in the Segment dock: entered, drawn, estimated, and what the dock says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, settle
from napari.components import ViewerModel

from napari_ssp.widgets.forms.diameter_box import DiameterBox
from napari_ssp.widgets.layers.drawn_size import drawn_diameter
from napari_ssp.widgets.segment.form import SegmentForm

if TYPE_CHECKING:
    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.segment.dock import SegmentDock

LINE = [[10, 10], [40, 50]]  # 50 long
BOX = [[0, 0], [0, 40], [10, 40], [10, 0]]


@pytest.fixture
def box(qtbot: QtBot) -> DiameterBox:
    box = DiameterBox("help")
    qtbot.addWidget(box)
    box.set_model(42.0, 2.0)
    return box


def test_it_says_what_the_model_knows_and_what_a_diameter_means(box: DiameterBox) -> None:
    assert box.value() is None
    assert box.hint.text() == "Magnified 2 times, as it learned; its typical object is 21 px."
    box.set_pixel_size(0.5)
    assert "10.5 µm (21 px)" in box.hint.text()
    box.set_value(84.0)
    assert "Magnified 0.5 times instead of 2;" in box.hint.text()


def test_the_number_is_in_micrometres_where_pixels_have_a_size(box: DiameterBox) -> None:
    box.set_value(30.0)
    assert box.number.value() == 30.0
    box.set_pixel_size(0.25)
    assert box.unit.currentText() == "µm"
    assert box.number.value() == 7.5
    assert box.value() == 30.0
    box.number.setValue(10.0)
    assert box.value() == 40.0
    box.unit.set_value("px")
    assert box.number.value() == 40.0
    box.set_pixel_size(None)
    assert box.value() == 40.0
    assert not box.unit.isEnabled()


def test_micrometres_that_were_typed_stay_micrometres(box: DiameterBox) -> None:
    box.set_value(30.0)
    box.set_pixel_size(0.5)
    box.number.setValue(20.0)
    for size, pixels in ((0.25, 80.0), (1.0, 20.0), (0.5, 40.0)):
        box.set_pixel_size(size)
        assert (box.number.value(), box.value()) == (20.0, pixels)
    box.set_pixel_size(None)
    assert (box.number.value(), box.value()) == (40.0, 40.0)
    box.set_pixel_size(0.25)
    assert (box.number.value(), box.value()) == (20.0, 80.0)
    box.unit.set_value("px")
    box.number.setValue(50.0)
    box.set_pixel_size(0.1)
    assert box.value() == 50.0


def test_a_model_of_unknown_sizes_takes_no_diameter(box: DiameterBox) -> None:
    box.set_value(30.0)
    box.set_model(None, 1.0)
    assert box.value() is None
    assert not box.isEnabled()
    assert "does not say" in box.hint.text()


@pytest.mark.parametrize(
    ("kind", "corners", "expected"),
    [
        ("line", LINE, 50.0),
        ("ellipse", BOX, 20.0),
        ("rectangle", BOX, 20.0),
        ("polygon", BOX, 20.0 * 2 / np.pi**0.5),
        ("path", [[0, 0], [0, 30], [40, 30]], 70.0),
    ],
)
def test_a_drawn_shape_is_measured_in_pixels_of_the_image(
    kind: str, corners: Any, expected: float
) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 100, 100)), scale=(2, 0.5, 0.5), translate=(0, 7, 9))
    where = 0.5 * np.array(corners) + (7, 9)
    viewer.add_shapes([where / 0.1], shape_type=kind, scale=(0.1, 0.1))
    assert drawn_diameter(viewer, image) == pytest.approx(expected, rel=1e-5)


def test_of_several_shapes_the_selected_ones_count() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((100, 100)))
    with pytest.raises(ValueError, match="Nothing is drawn yet"):
        drawn_diameter(viewer, image)
    lines = [np.array([[0, 0], [0, n]]) for n in (10, 20, 60)]
    shapes = viewer.add_shapes(lines, shape_type="line")
    shapes.selected_data = set()
    assert drawn_diameter(viewer, image) == 20
    shapes.selected_data = {1, 2}
    assert drawn_diameter(viewer, image) == 40


def test_stacks_are_offered_for_all_planes_only(qtbot: QtBot) -> None:
    form = SegmentForm()
    qtbot.addWidget(form)
    form.set_planes(5)
    assert not form._form.isRowVisible(form._stacks)
    form._planes.set_value(True)
    assert form._form.isRowVisible(form._stacks)
    form.set_planes(1)
    assert not form._form.isRowVisible(form._stacks)


def test_a_far_magnification_is_warned_of(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei, scale=(0.5, 0.5), units=("um", "um"))
    shapes = viewer.add_shapes([np.array([[10.0, 10.0], [10.0, 77.0]])], shape_type="line")
    shapes.scale, shapes.units = (0.5, 0.5), ("um", "um")
    settle(dock, qtbot)
    assert dock.panel.warnings.isHidden()
    dock.form.size_box.shape_button.click()
    assert dock.form.value().diameter == pytest.approx(67)
    assert "magnified 0.64 times" in settle(dock, qtbot)
    assert "compare with a run at the model's own size" in dock.panel.warnings.text()
    viewer.layers.remove(shapes)
    dock.form.size_box.shape_button.click()
    assert "Nothing is drawn yet" in dock.panel.message.text()


def test_the_diameter_is_estimated_as_on_the_command_line(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[Any], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei[:96, :96])
    settle(dock, qtbot)
    with qtbot.waitSignal(dock.done, timeout=2 * LONG):
        dock.form.size_box.estimate_button.click()
        dock.form.size_box.estimate_button.click()  # one is under way
    assert len(viewer.layers) == 1
    found = dock.form.value().diameter
    assert found is not None
    assert 10 < found < 40
    assert f"about {found:.0f} px" in dock.panel.message.text()
