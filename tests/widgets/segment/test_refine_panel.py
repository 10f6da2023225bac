from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QAbstractSpinBox

from napari_ssp.service import Thresholds
from napari_ssp.widgets.forms.slider_box import Scale
from napari_ssp.widgets.segment.refine_panel import RefinePanel

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.fixture
def panel(qtbot: QtBot) -> RefinePanel:
    panel = RefinePanel()
    qtbot.addWidget(panel)
    return panel


@pytest.mark.parametrize(
    "value",
    [Thresholds(), Thresholds(0.07, 0.0, 0, 0), Thresholds(1.0, 3.0, 1_000_000, 7)],
)
def test_the_value_goes_round(panel: RefinePanel, value: Thresholds) -> None:
    panel.set_value(value)
    assert panel.value() == value


def test_a_slider_tells_of_each_move_once(panel: RefinePanel, qtbot: QtBot) -> None:
    told: list[Thresholds] = []
    panel.changed.connect(lambda: told.append(panel.value()))
    box = panel.boxes["cell_threshold"]
    box.slider.setValue(124)
    box.slider.setValue(130)
    assert [value.cell_threshold for value in told] == [0.62, 0.65]
    box.number.setValue(0.25)
    assert box.slider.value() == 50
    panel.set_value(Thresholds(0.3, 0.2, 5, 6))
    assert told[-1] == Thresholds(0.3, 0.2, 5, 6)
    assert len(told) == 4


def test_the_flow_check_is_off_where_it_is_loosest(panel: RefinePanel) -> None:
    box = panel.boxes["flow_threshold"]
    box.slider.setValue(200)
    assert panel.value().flow_threshold == 0
    assert box.number.text() == "off"
    box.slider.setValue(199)
    assert panel.value().flow_threshold > 1.9
    box.slider.setValue(0)
    assert panel.value().flow_threshold == 0.05


def test_small_sizes_can_be_reached_step_by_step(panel: RefinePanel) -> None:
    box = panel.boxes["min_size"]
    box.slider.setValue(0)
    for _ in range(20):
        box.slider.setValue(box.slider.value() + 1)
    assert 0 < panel.value().min_size <= 60
    assert isinstance(panel.value().min_size, int)


@pytest.mark.parametrize(
    "scale", [Scale(0.0, 1.0), Scale(0, 5000, 2), Scale(0.05, 2.0, off_at_end=True)]
)
def test_positions_go_round(scale: Scale) -> None:
    for position in range(201):
        assert scale.position(scale.value(position)) == position
    assert scale.position(1e9) == (199 if scale.off_at_end else 200)


def test_an_obstacle_stands_in_place_of_the_sliders(panel: RefinePanel) -> None:
    panel.show()
    panel.set_obstacle("n labels", "These are 3D objects.")
    assert not panel.boxes["min_size"].isVisible()
    assert panel.message.text() == "These are 3D objects."
    panel.set_result("n labels", Thresholds(0.4, 0.4, 20, 20))
    assert panel.boxes["min_size"].isVisible()
    assert panel.value().cell_threshold == 0.4
    assert not panel.reset_button.isEnabled()
    assert all(box.toolTip() for box in panel.findChildren(QAbstractSpinBox))
