from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLabel

from napari_ssp.image import MicroscopyImage
from napari_ssp.service import PredictRequest
from napari_ssp.widgets.docks.scroll_column import ScrollColumn
from napari_ssp.widgets.predict.choices import PredictChoices
from napari_ssp.widgets.predict.form import PredictForm

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

TASKS = [("dna", "DNA in the nucleus"), ("lamin_b1", "Nuclear envelope"), ("nucleoli", "")]
PLANES = 40

lengths = st.integers(0, 99_999).map(lambda n: n / 10_000)
ranges = st.tuples(st.integers(0, PLANES - 1), st.integers(0, PLANES - 1)).map(
    lambda pair: (min(pair), max(pair) + 1)
)
choices = st.builds(
    PredictChoices,
    model=st.sampled_from(["repmode-starter", "mine", "/models/other"]),
    tasks=st.sets(st.sampled_from([name for name, _ in TASKS])).map(
        lambda names: tuple(name for name, _ in TASKS if name in names)
    ),
    channel=st.sampled_from([0, 1]),
    voxel_size=st.none() | st.tuples(lengths, lengths, lengths),
    z_range=st.none() | ranges,
    visible_only=st.booleans(),
    measured_units=st.booleans(),
    spread=st.booleans(),
    device=st.sampled_from(["auto", "cpu", "cuda", "mps"]),
    precision=st.sampled_from(["auto", "float32", "bfloat16"]),
    overlap=st.integers(0, 90).map(lambda n: n / 100),
    batch_size=st.integers(1, 256),
)


@pytest.fixture
def form(qtbot: QtBot) -> PredictForm:
    form = PredictForm()
    qtbot.addWidget(form)
    form.set_models([("repmode-starter", "small"), ("mine", "")])
    return form


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=choices)
def test_what_is_set_is_what_is_read(form: PredictForm, value: PredictChoices) -> None:
    form.set_channels([("Bright", 0), ("DIC", 1)])
    form.set_tasks(TASKS)
    form.set_planes(PLANES)
    form.set_units_known(True)
    form.set_value(value)
    read = form.value()
    assert replace(read, voxel_size=value.voxel_size) == value
    assert read.voxel_size == (
        None if value.voxel_size is None else pytest.approx(value.voxel_size)
    )


def test_a_new_form_has_the_defaults_of_the_request(form: PredictForm) -> None:
    assert form.value() == PredictChoices()
    image = MicroscopyImage.from_array(np.zeros((3, 4, 5)))
    made, plain = PredictChoices().request(image), PredictRequest(image)
    assert {f.name: getattr(made, f.name) for f in fields(made)} == {
        f.name: getattr(plain, f.name) for f in fields(plain)
    }


def test_structures_are_told_with_their_descriptions(form: PredictForm, qtbot: QtBot) -> None:
    form.set_tasks(TASKS)
    texts = [label.text() for label in form._tasks.findChildren(QLabel)]
    assert texts == ["DNA in the nucleus", "Nuclear envelope"]
    box = form._tasks._boxes["lamin_b1"]
    assert (box.text(), box.toolTip()) == ("lamin_b1", "Nuclear envelope")
    with qtbot.waitSignal(form.changed):
        qtbot.mouseClick(form._tasks.findChildren(QLabel)[1], Qt.MouseButton.LeftButton)
    assert form.value().tasks == ("lamin_b1",)


def test_another_model_keeps_the_structures_that_it_knows(form: PredictForm) -> None:
    form.set_tasks(TASKS)
    form.set_value(PredictChoices(tasks=("dna", "nucleoli")))
    form.set_tasks([("actin", ""), ("nucleoli", "")])
    assert form.value().tasks == ("nucleoli",)
    assert form.tasks() == ("actin", "nucleoli")


def test_a_single_structure_needs_no_tick(form: PredictForm) -> None:
    form.set_tasks([("lamin_b1", "")])
    assert form.value().tasks == ("lamin_b1",)


def test_a_long_list_of_structures_scrolls(form: PredictForm, qtbot: QtBot) -> None:
    form.resize(340, 700)
    with qtbot.waitExposed(form):
        form.show()
    form.set_tasks([("dna", "DNA")])
    low = form._tasks.height()
    form.set_tasks([(f"structure {i}", "a line about it") for i in range(12)])
    qtbot.waitUntil(lambda: form._tasks.verticalScrollBar().maximum() > 0)
    assert low < form._tasks.height() < 200


def test_the_voxel_size_says_where_it_comes_from(form: PredictForm, qtbot: QtBot) -> None:
    box = form._voxel
    assert "unknown" in box.source.text()
    form.set_model_voxel_size((0.29, 0.29, 0.29))
    assert (box._boxes[0].text(), box.source.text()) == ("z 0.29", "µm, from the model")
    form.set_layer_voxel_size((0.5, 0.108333, 0.108333))
    assert (box._boxes[1].text(), box.source.text()) == ("y 0.1083", "µm, from the layer")
    assert form.value().voxel_size is None
    with qtbot.waitSignal(form.changed):
        box._boxes[0].setValue(0.25)
    assert form.value().voxel_size == pytest.approx((0.25, 0.1083, 0.1083))
    assert box.source.text() == "µm, entered by hand"
    with qtbot.waitSignal(form.changed):
        box.reset_button.click()
    assert form.value().voxel_size is None
    assert box._boxes[0].text() == "z 0.5"


def test_an_entered_voxel_size_is_for_its_layer_only(form: PredictForm) -> None:
    form.set_layer_voxel_size((0.5, 0.1, 0.1))
    form.set_value(PredictChoices(voxel_size=(1.0, 0.2, 0.2)))
    form.set_layer_voxel_size((0.5, 0.1, 0.1))
    form.set_model_voxel_size((0.3, 0.3, 0.3))
    assert form.value().voxel_size == (1.0, 0.2, 0.2)
    form.set_layer_voxel_size(None)
    assert form.value().voxel_size is None
    form.set_value(PredictChoices(voxel_size=(1.0, 0.2, 0.2)))
    form.set_layer_voxel_size(None)
    assert form.value().voxel_size == (1.0, 0.2, 0.2), "the next file has no voxel size either"


def test_a_range_of_planes(form: PredictForm, qtbot: QtBot) -> None:
    form.set_planes(10)
    form.show()
    planes = form._planes
    assert planes._kind.currentText() == "All 10 planes"
    assert not planes._first.isVisible()
    planes._kind.set_value(True)
    assert planes._first.isVisible()
    assert form.value().z_range == (0, 10)
    planes._first.setValue(4)
    planes._last.setValue(2)
    assert form.value().z_range == (2, 3), "the first goes along"
    planes._first.setValue(7)
    assert form.value().z_range == (7, 8), "the last goes along"
    form.set_planes(5)
    assert form.value().z_range == (4, 5)
    form.set_planes(1)
    assert not planes.isVisible()


def test_a_change_is_told_once(form: PredictForm) -> None:
    form.set_tasks(TASKS)
    form.set_planes(10)
    heard: list[PredictChoices] = []
    form.changed.connect(lambda: heard.append(form.value()))
    for value in (
        PredictChoices(z_range=(3, 6)),
        PredictChoices(z_range=(3, 6), tasks=("dna", "lamin_b1")),
    ):
        form.set_value(value)
        assert heard.pop() == value
        assert heard == []


def test_measured_units_are_offered_where_they_are_known(form: PredictForm) -> None:
    form.show()
    box = form._editors["measured_units"].widget
    assert not box.isVisible()
    form.set_units_known(True)
    assert box.isVisible()
    form.set_value(PredictChoices(measured_units=True))
    form.set_units_known(False)
    assert not form.value().measured_units


def test_every_editor_explains_itself(form: PredictForm) -> None:
    assert all(editor.widget.toolTip() for editor in form._editors.values())


def test_the_wheel_changes_no_number_but_scrolls(qtbot: QtBot) -> None:
    column, form = ScrollColumn(), PredictForm()
    qtbot.addWidget(column)
    column.add(form)
    box = form._editors["overlap"].widget
    wheel = QWheelEvent(
        QPointF(box.rect().center()),
        QPointF(box.mapToGlobal(box.rect().center())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, wheel)
    assert box.value() == PredictChoices().overlap
    assert not wheel.isAccepted(), "the column gets it"
