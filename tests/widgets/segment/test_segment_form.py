from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from napari_ssp.image import MicroscopyImage
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.form import SegmentForm

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

CHANNELS = [("DNA", 0), ("actin", 1), ("tubulin", 2)]


def _hundredths(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(round(100 * low), round(100 * high)).map(lambda n: n / 100)


choices = st.builds(
    SegmentChoices,
    model=st.sampled_from(["mediar-starter", "mine", "/models/other"]),
    channel=st.sampled_from([0, 1, 2]),
    nuclei=st.sampled_from([None, 0, 1, 2]),
    device=st.sampled_from(["auto", "cpu", "cuda", "mps"]),
    cell_threshold=_hundredths(0, 1),
    flow_threshold=_hundredths(0, 3),
    min_size=st.integers(0, 1_000_000),
    overlap=_hundredths(0, 0.9),
    batch_size=st.integers(1, 256),
    average_with=st.sampled_from([None, "mine"]),
    diameter=st.none() | st.floats(1, 9000),
    precision=st.sampled_from(["auto", "float32", "bfloat16"]),
    normalise=st.sampled_from(["auto", "image", "region"]),
    hole_size=st.none() | st.integers(0, 1_000_000),
    eightfold=st.booleans(),
    stacks=st.sampled_from(["planes", "linked", "volume"]),
    tta=st.booleans(),
    all_planes=st.booleans(),
    visible_only=st.booleans(),
    keep_flows=st.booleans(),
    keep_probability=st.booleans(),
)


@pytest.fixture
def form(qtbot: QtBot) -> SegmentForm:
    form = SegmentForm()
    qtbot.addWidget(form)
    form.set_models([("mediar-starter", "small"), ("mine", "")])
    return form


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=choices)
def test_what_is_set_is_what_is_read(form: SegmentForm, value: SegmentChoices) -> None:
    form.set_channels(CHANNELS)
    form.set_planes(9)
    form.set_value(value)
    stacks = value.stacks if value.all_planes else "planes"
    assert form.value() == replace(value, stacks=stacks)


def test_a_new_form_has_the_defaults(form: SegmentForm) -> None:
    assert form.value() == SegmentChoices()


def test_a_change_is_told_once(form: SegmentForm, qtbot: QtBot) -> None:
    heard: list[SegmentChoices] = []
    form.changed.connect(lambda: heard.append(form.value()))
    form.set_value(SegmentChoices(min_size=99))
    assert heard == [SegmentChoices(min_size=99)]


def test_channels_of_another_image_keep_the_choice_where_they_can(form: SegmentForm) -> None:
    form.set_channels(CHANNELS)
    form.set_value(SegmentChoices(channel=1))
    form.set_channels(CHANNELS[:2])
    assert form.value().channel == 1
    form.set_channels(CHANNELS[:1])
    assert form.value().channel == 0
    form.set_channels([("All colours", None)])
    assert form.value().channel is None
    form.set_channels([])
    assert form.value().channel is None


def test_rows_show_only_where_they_matter(form: SegmentForm, qtbot: QtBot) -> None:
    form.show()
    assert not form._channel.isVisible()
    assert not form._planes.isVisible()
    form.set_channels(CHANNELS)
    form.set_planes(12)
    assert form._channel.isVisible()
    assert form._planes.itemText(1) == "All 12 planes"
    assert form._planes.isVisible()


def test_nuclei_are_asked_for_where_there_is_another_channel(form: SegmentForm) -> None:
    form.show()
    for channels in ([], [("All colours", None)], CHANNELS[:1]):
        form.set_channels(channels)
        assert not form._nuclei.isVisible()
    form.set_channels(CHANNELS)
    assert form._nuclei.isVisible()
    assert [form._nuclei.itemText(k) for k in range(4)] == [
        "No other channel",
        "DNA",
        "actin",
        "tubulin",
    ]
    form.set_value(SegmentChoices(channel=1, nuclei=2))
    image = MicroscopyImage(np.zeros((3, 20, 20), np.uint8), "cyx")
    assert form.value().request(image).nuclei == 2
    form.set_channels([("All colours", None)])
    assert form.value().nuclei is None


def test_asking_again_for_the_same_planes_changes_nothing(form: SegmentForm) -> None:
    form.set_planes(5)
    form.set_value(replace(form.value(), all_planes=True))
    heard: list[int] = []
    form.changed.connect(lambda: heard.append(1))
    form.set_planes(5)
    form.set_planes(7)
    assert form.value().all_planes
    assert heard == []


def test_the_region_says_why_it_is_not_possible(form: SegmentForm) -> None:
    form.set_region_available("3D display")
    box = form._editors["visible_only"].widget
    assert not box.isEnabled()
    assert box.toolTip() == "3D display"
    form.set_region_available(None)
    assert box.isEnabled()


def test_two_models_are_averaged_where_there_are_two(form: SegmentForm) -> None:
    form.show()
    form.set_advanced_open(True)
    assert form._other.isVisible()
    form._other.set_value("mine")
    image = MicroscopyImage.from_array(np.zeros((4, 5)))
    assert form.value().request(image).model == "mediar-starter+mine"
    form._model.set_value("mine")
    assert form.value().request(image).model == "mine"
    form.set_models([("mediar-starter", "")])
    assert not form._other.isVisible()
    assert form.value().average_with is None


def test_every_editor_explains_itself(form: SegmentForm) -> None:
    assert all(editor.widget.toolTip() for editor in form._editors.values())
