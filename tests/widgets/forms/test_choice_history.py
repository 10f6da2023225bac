"""Ctrl+Z in a dock takes a choice back, and leaves the layers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_ssp.service import Thresholds
from napari_ssp.widgets.segment.form import SegmentForm
from napari_ssp.widgets.segment.refine_panel import RefinePanel

if TYPE_CHECKING:
    import napari
    from pytestqt.qtbot import QtBot

CONTROL = Qt.KeyboardModifier.ControlModifier
RUN_WITH = Thresholds(0.5, 0.4, 16, 16)


@pytest.fixture
def panel(viewer: napari.Viewer, qtbot: QtBot) -> RefinePanel:
    """The sliders, in front of a painted labels layer that napari could undo."""
    labels = viewer.add_labels(np.zeros((8, 8), np.uint8), name="painted")
    labels.data_setitem((np.array([1]), np.array([1])), 5)
    panel = RefinePanel()
    panel.set_result("painted", RUN_WITH)
    viewer.window.add_dock_widget(panel, name="Refine")
    window = viewer.window._qt_window
    with qtbot.waitActive(window):  # keys of a window that is not active yet go nowhere
        window.show()
        window.activateWindow()
    panel._history._clock = lambda: 0.0  # one drag, however slow this computer is
    return panel


def _wait_for_another_gesture(panel: Any) -> None:
    panel._history._changed_at = float("-inf")


def test_a_slider_is_undone_and_the_layer_is_not(
    viewer: napari.Viewer, panel: RefinePanel, qtbot: QtBot
) -> None:
    slider = panel.boxes["cell_threshold"].slider
    for position in (120, 140, 160):  # one drag
        slider.setValue(position)
    _wait_for_another_gesture(panel)
    panel.boxes["min_size"].slider.setValue(100)
    chosen = panel.value()
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Z, CONTROL)
    assert panel.value() == Thresholds(0.8, 0.4, 16, 16)
    qtbot.keyClick(slider, Qt.Key.Key_Z, CONTROL)
    assert panel.value() == RUN_WITH
    qtbot.keyClick(slider, Qt.Key.Key_Z, CONTROL)
    assert panel.value() == RUN_WITH
    for _ in range(2):
        qtbot.keyClick(slider, Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert panel.value() == chosen
    assert viewer.layers["painted"].data[1, 1] == 5


def test_a_number_beside_a_slider_is_undone_unless_it_is_being_typed(
    panel: RefinePanel, qtbot: QtBot
) -> None:
    number = panel.boxes["min_size"].number
    number.setFocus()
    number.stepUp()
    assert panel.value().min_size == 17
    qtbot.keyClick(number, Qt.Key.Key_Z, CONTROL)
    assert panel.value() == RUN_WITH
    line = number.findChild(QLineEdit)
    qtbot.keyClicks(line, "9")
    typed = line.text()
    assert line.isModified()
    qtbot.keyClick(line, Qt.Key.Key_Z, CONTROL)
    assert line.text() != typed


def test_another_result_begins_anew(panel: RefinePanel) -> None:
    panel.boxes["min_size"].set_value(99)
    panel.set_result("other", Thresholds(0.7))
    panel._history.undo()
    assert panel.value() == Thresholds(0.7)


def test_choices_of_a_form_are_undone(qtbot: QtBot) -> None:
    form = SegmentForm()
    qtbot.addWidget(form)
    form.set_models([("mediar-starter", "")])
    form._history.restart()
    before = form.value()
    form.change(tta=True)
    _wait_for_another_gesture(form)
    form.change(diameter=12.0)
    form._history.undo()
    assert form.value().diameter is None
    assert form.value().tta
    form._history.undo()
    assert form.value() == before
    form._history.redo()
    assert form.value().tta
