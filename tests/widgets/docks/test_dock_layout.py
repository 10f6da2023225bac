"""Docks in narrow columns, low windows and large letters: nothing is cut without a word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import QApplication, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_ssp.service import TrainingState
from napari_ssp.widgets.classes.dock import ClassesDock
from napari_ssp.widgets.compare.dock import CompareDock
from napari_ssp.widgets.compartments.dock import CompartmentsDock
from napari_ssp.widgets.edit.dock import EditDock
from napari_ssp.widgets.forms.editor_form import FoldButton
from napari_ssp.widgets.forms.elided import ElidedCheckBox
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.forms.task_list import TaskList
from napari_ssp.widgets.forms.voxel_box import VoxelBox
from napari_ssp.widgets.forms.wrapped_label import SmallPrint, WrappedLabel
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.predict.dock import PredictDock
from napari_ssp.widgets.segment.dock import SegmentDock
from napari_ssp.widgets.series.dock import SeriesDock
from napari_ssp.widgets.track.dock import TrackDock
from napari_ssp.widgets.train.dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari
    from pytestqt.qtbot import QtBot

DOCKS = [
    SegmentDock,
    CompartmentsDock,
    PredictDock,
    MeasureDock,
    CompareDock,
    TrainDock,
    EditDock,
    TrackDock,
    ClassesDock,
    SeriesDock,
]
LONG = "2024-03-12_experiment-07_plate-B_well-C04_field-0012_DAPI"


@pytest.fixture
def large_letters(viewer: napari.Viewer) -> Iterator[None]:
    """Font size 14, as in napari's Preferences; the viewer is there before."""
    appearance = get_settings().appearance
    before = appearance.font_size
    appearance.font_size = 14
    yield
    appearance.font_size = before


def _show(viewer: napari.Viewer, dock: QWidget, size: QSize, qtbot: QtBot) -> None:
    window = viewer.window._qt_window
    viewer.window.add_dock_widget(dock, name="Dock")
    window.resize(size)
    window.show()
    qtbot.waitExposed(window)
    qtbot.wait(50)


@pytest.mark.parametrize("kind", DOCKS)
def test_letters_follow_the_preferences(
    viewer: napari.Viewer, large_letters: None, kind: Any, qtbot: QtBot
) -> None:
    dock = kind(viewer)
    _show(viewer, dock, QSize(1500, 880), qtbot)
    QApplication.sendPostedEvents()
    assert [b.text() for b in dock.findChildren(FoldButton) if b.shown_text() != b.text()] == []
    shown = [each for each in dock.findChildren(QLabel) if not isinstance(each, SmallPrint)]
    for label in (*shown, *dock.findChildren(QToolButton)):
        label.ensurePolished()
        assert label.font().pointSize() == 15, label.text()
    for print_ in dock.findChildren(SmallPrint):
        print_.ensurePolished()
        assert print_.font().pointSize() == 13, print_.text()
    get_settings().appearance.font_size = 10
    QApplication.sendPostedEvents()
    for button in dock.findChildren(QToolButton):
        assert button.font().pointSize() == 11


def test_numbers_beside_sliders_fit_in_large_letters(
    viewer: napari.Viewer, large_letters: None, qtbot: QtBot
) -> None:
    dock = SegmentDock(viewer)
    _show(viewer, dock, QSize(1500, 880), qtbot)
    number = dock.refining.panel.boxes["min_size"].number
    number.setValue(99_999)
    number.ensurePolished()
    line: Any = number.lineEdit()
    needed = line.fontMetrics().horizontalAdvance("99999 px")
    assert number.width() - 40 >= needed, "napari's plus and minus take 20 pixels each"
    assert len({box.number.width() for box in dock.refining.panel.boxes.values()}) == 1


def test_wrapped_lines_are_all_seen(viewer: napari.Viewer, qtbot: QtBot) -> None:
    dock = SegmentDock(viewer)
    viewer.add_image(np.zeros((9, 9)))
    dock.form.set_advanced_open(True)
    _show(viewer, dock, QSize(1200, 880), qtbot)
    hint = dock.form.size_box.hint
    for text in ("short", "several words that need more than a single line of a dock " * 3):
        hint.setText(text)
        qtbot.wait(20)
        assert hint.height() >= hint.heightForWidth(hint.width()), text
    tall = hint.minimumHeight()
    hint.setText("short again")
    assert hint.minimumHeight() <= tall / 3


def test_long_names_are_shortened_in_the_middle(qtbot: QtBot) -> None:
    box, check, plain = ChoiceBox("What it is for"), ElidedCheckBox(LONG), ElidedCheckBox("n")
    box.set_choices([(LONG, 1), ("n", 2)])
    parent = QWidget()
    qtbot.addWidget(parent)
    column = QVBoxLayout(parent)
    for widget in (box, check, plain):
        column.addWidget(widget)
    check.setToolTip("Tick it")
    plain.setToolTip("Tick it")
    parent.resize(260, 200)
    parent.show()
    qtbot.waitExposed(parent)
    for widget in (box, check):
        shown = widget.shown_text()
        assert shown.startswith("2024"), shown
        assert shown.endswith("DAPI"), shown
        assert "…" in shown
        assert widget.toolTip().startswith(f"{LONG}\n")
    assert plain.toolTip() == "Tick it"
    box.set_value(2)
    assert box.toolTip() == "What it is for"
    parent.resize(1200, 200)
    qtbot.wait(20)
    assert check.shown_text() == LONG


def test_a_long_name_does_not_widen_a_dock(viewer: napari.Viewer, qtbot: QtBot) -> None:
    dock = SegmentDock(viewer)
    before = dock.column.minimumSizeHint().width()
    dock.refining.panel.set_obstacle(f"{LONG}_{LONG} labels", "no")
    QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
    assert dock.column.minimumSizeHint().width() == before
    tasks = TaskList("")
    qtbot.addWidget(tasks)
    tasks.set_tasks([(f"{LONG}_{LONG}", "")])
    assert tasks._inner.minimumSizeHint().width() < 340


def test_a_long_word_does_not_widen_a_line(qtbot: QtBot) -> None:
    label = WrappedLabel(f"No '{'x' * 90}' here.")
    qtbot.addWidget(label)
    assert label.minimumSizeHint().width() == 0
    label.resize(200, 50)
    label.show()
    shown = QLabel.text(label).split()
    assert (len(shown), shown[0], shown[2], label.toolTip()) == (3, "No", "here.", label.text())
    assert label.fontMetrics().horizontalAdvance(shown[1]) <= 200
    label.resize(2000, 50)
    assert (QLabel.text(label), label.toolTip()) == (label.text(), "")


def test_an_unknown_voxel_size_is_no_number(qtbot: QtBot) -> None:
    box = VoxelBox("Voxel size")
    qtbot.addWidget(box)
    assert [number.text() for number in box._boxes] == ["z ?", "y ?", "x ?"]
    assert box.source.text() == "unknown; voxels are taken as they are"
    assert box.value() is None
    box.set_layer_size((1.0, 0.5, 0.25))
    assert [number.text() for number in box._boxes] == ["z 1", "y 0.5", "x 0.25"]
    box.set_layer_size(None)
    assert box._boxes[0].text() == "z ?"


@pytest.mark.parametrize("points", [9, 14])
def test_a_training_fits_a_window_of_900_pixels(
    viewer: napari.Viewer, large_letters: None, points: int, qtbot: QtBot
) -> None:
    get_settings().appearance.font_size = points
    dock = TrainDock(viewer)
    _show(viewer, dock, QSize(1500, 870), qtbot)
    begun: list[Any] = []
    dock.controller.start = lambda *args: begun.append(args)  # type: ignore[method-assign]
    dock._enter(_learning(dock))
    assert not dock.setup.fold.isChecked()
    rows = tuple({"minutes": k, "loss": 1.0 / k, "f1_0.50": 0.1 * k} for k in (1.0, 2.0))
    pixels = np.zeros((256, 256), np.uint8)
    preview = ("a", pixels, np.ones_like(pixels, int), np.ones_like(pixels, int))
    base = {"f1_0.50": 0.1}
    dock.panel.set_plan("2 pairs of layers, from 'mediar', at most 10 minutes", ("One.", "Two."))
    state = TrainingState(6, 2.0, 2.0, 3.0, 0.8, rows, base, rows[0], preview, "cpu")
    dock.view.set_state(replace(state, scored=9, validation=60))
    dock.panel.set_running(True)
    dock.panel.set_message("learning …")
    qtbot.wait(200)
    viewport: Any = dock.column.viewport()
    for part in (dock.panel.run_button, dock.view.score_plot, dock.view.picture):
        top = part.mapTo(viewport, part.rect().topLeft()).y()
        assert top >= 0
        assert top + part.height() <= viewport.height(), part
    dock.setup.fold.click()
    assert dock.form.isVisible()


def _learning(dock: TrainDock) -> Any:
    from pathlib import Path

    from napari_ssp.widgets.train.phases import Learning

    choices = dock.form.value()
    return Learning(choices.request((Path("data"),), Path("run")))


@pytest.mark.parametrize("kind", DOCKS)
def test_every_button_explains_itself(viewer: napari.Viewer, kind: Any) -> None:
    dock = kind(viewer)
    viewer.window.add_dock_widget(dock, name="Dock")
    for button in (*dock.findChildren(QPushButton), *dock.findChildren(QToolButton)):
        is_of_qt = button.objectName().startswith("qt_") or not button.text()
        assert is_of_qt or button.toolTip(), button.text()
