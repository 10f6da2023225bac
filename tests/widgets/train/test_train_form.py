"""The parts of the Train dock without a training: form, list of data, curves, picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from napari_ssp.service import TrainingState, TrainRequest, TrainStructuresRequest
from napari_ssp.service.annotation.annotations import Annotation
from napari_ssp.widgets.train.choices import CELLS, EPOCHS, MINUTES, STRUCTURES, TrainChoices
from napari_ssp.widgets.train.data import TrainData
from napari_ssp.widgets.train.form import _OF_CELLS, TrainForm
from napari_ssp.widgets.train.pairs import LayerPair, find_image, pair_annotation, pair_stacks
from napari_ssp.widgets.train.picture import FOUND, TRUTH, draw_outlines, side_by_side
from napari_ssp.widgets.train.plot import Curve, CurvePlot, _ticks
from napari_ssp.widgets.train.view import TrainView

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

_folders = st.none() | st.sampled_from([Path("/data/a"), Path("/data/b")])
choices = st.builds(
    TrainChoices,
    learn=st.sampled_from([CELLS, STRUCTURES]),
    base=st.none() | st.sampled_from(["mediar-starter", "mine"]),
    name=st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
    duration=st.tuples(
        st.integers(1, 100_000).map(lambda n: n / 100), st.sampled_from([MINUTES, EPOCHS])
    ),
    trainable=st.sampled_from(["all", "decoder", "heads", "lora"]),
    augmentation=st.sampled_from(["none", "light", "standard", "mediar"]),
    learning_rate=st.none() | st.sampled_from([1e-5, 3e-4, 0.01]),
    batch_size=st.integers(2, 256),
    crop=st.integers(1, 64).map(lambda n: 32 * n),
    replay=_folders,
    validation=_folders,
    device=st.sampled_from(["auto", "cpu", "cuda", "mps"]),
)


@pytest.fixture
def form(qtbot: QtBot) -> TrainForm:
    form = TrainForm()
    qtbot.addWidget(form)
    form.set_models([("mediar-starter", "mediar", "small"), ("repmode-starter", "repmode", "")])
    return form


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=choices)
def test_what_is_set_is_what_is_read(form: TrainForm, value: TrainChoices) -> None:
    form.set_value(value)
    plain = TrainChoices()
    if value.learn == STRUCTURES:  # has its own recipe
        same = {name: getattr(plain, name) for name in _OF_CELLS}
        value = replace(value, **same)
    assert form.value() == value


def test_a_new_form_starts_from_the_shipped_model(form: TrainForm) -> None:
    assert form.value() == TrainChoices()


def test_each_kind_offers_its_own_base_models_and_settings(form: TrainForm) -> None:
    form.show()
    form.set_advanced_open(True)
    crop = form._editors["crop"].widget
    assert crop.isVisible()
    assert "repmode-starter" not in form._base
    form._learn.set_value(STRUCTURES)
    assert form._base.values() == ["repmode-starter", None]
    assert not crop.isVisible()
    form._learn.set_value(CELLS)
    assert form._base.values() == ["mediar-starter", None]
    assert crop.isVisible()


def test_choices_become_a_request() -> None:
    value = TrainChoices(duration=(5.0, EPOCHS), replay=Path("/r"), validation=Path("/v"))
    request = value.request((Path("/d"),), Path("/o"))
    assert isinstance(request, TrainRequest)
    assert (request.schedule.minutes, request.schedule.epochs) == (None, 5.0)
    assert (request.forgetting.replay, request.validation) == ((Path("/r"),), (Path("/v"),))
    assert request.base == "mediar-starter"
    other = TrainChoices(learn=STRUCTURES, base=None, duration=(5.0, MINUTES))
    stacks = other.request((Path("/d"),), Path("/o"))
    assert isinstance(stacks, TrainStructuresRequest)
    assert stacks.schedule.minutes == 5.0
    assert stacks.crop == (32, 128, 128)


def test_a_bad_learning_rate_is_said(form: TrainForm) -> None:
    form._editors["learning_rate"].widget.setText("fast")
    with pytest.raises(ValueError, match="got 'fast'"):
        form.value()


def test_every_editor_explains_itself(form: TrainForm) -> None:
    assert all(editor.widget.toolTip() for editor in form._editors.values())


@pytest.fixture
def layers() -> dict[str, Any]:
    from napari.layers import Image, Labels, Shapes

    return {
        "a": Image(np.zeros((20, 30)), name="a"),
        "aa": Image(np.zeros((2, 20, 30)), name="aa", axis_labels=("c", "y", "x")),
        "a cells": Labels(np.ones((20, 30), int), name="a cells"),
        "aa cells": Labels(np.ones((20, 30), int), name="aa cells"),
        "small": Labels(np.ones((5, 30), int), name="small", translate=(100, 0)),
        "area": Shapes([np.array([[0, 0], [0, 9], [9, 9], [9, 0]])], name="area"),
        "stack": Image(np.zeros((4, 20, 30)), name="stack"),
    }


@pytest.fixture
def data(qtbot: QtBot, layers: dict[str, Any]) -> TrainData:
    data = TrainData()
    qtbot.addWidget(data)
    _offer(data, layers, "a", "aa", "a cells", "aa cells", "small", "area")
    return data


def _offer(data: TrainData, layers: dict[str, Any], *names: str) -> None:
    chosen = [layers[name] for name in names]
    kinds = [[x for x in chosen if x._basename() == kind] for kind in ("Image", "Labels", "Shapes")]
    data.set_layers(*kinds)


def test_several_pairs_at_once(data: TrainData, layers: dict[str, Any]) -> None:
    data.all_button.click()
    assert [pair.title for pair in data.value()] == ["a → a cells", "aa → aa cells"]  # type: ignore[union-attr]
    data.all_button.click()
    assert len(data.value()) == 2, "each pair once"
    data.add_path(Path("/d"))
    data.add_path(Path("/d"))
    assert data.list.item(2).text() == "d (folder)"
    assert data.list.count() == 3
    data.list.item(0).setSelected(True)
    data.list.item(2).setSelected(True)
    data.remove_button.click()
    assert [pair.title for pair in data.value()] == ["aa → aa cells"]  # type: ignore[union-attr]
    _offer(data, layers, "a", "a cells")
    assert data.value() == ()


def test_channel_and_area_belong_to_the_pair(data: TrainData, layers: dict[str, Any]) -> None:
    data.choose(layers["aa cells"])
    assert data.image_box.value() is layers["aa"]
    data.channel_box.set_value(1)
    data.area_box.set_value(layers["area"])
    data.add_button.click()
    (pair,) = data.value()
    assert isinstance(pair, LayerPair)
    assert pair.title == "aa → aa cells, in area"
    found = pair_annotation(pair)
    assert isinstance(found, Annotation)
    assert found.channel == 1
    np.testing.assert_allclose(found.area[0].corners[2], (9, 9))  # type: ignore[index]


def test_an_image_that_a_person_chose_stays(data: TrainData, layers: dict[str, Any]) -> None:
    data.choose(layers["a cells"])
    assert data.image_box.value() is layers["a"]
    data.image_box.set_value(layers["aa"])
    data.choose(layers["a cells"])
    assert data.image_box.value() is layers["aa"]
    data.choose(layers["aa cells"])
    data.choose(layers["a cells"])
    assert data.image_box.value() is layers["a"]


def test_layers_that_do_not_fit_are_refused(data: TrainData, layers: dict[str, Any]) -> None:
    data.labels_box.set_value(layers["small"])
    data.image_box.set_value(layers["a"])
    data.add_button.click()
    assert "'small' reaches beyond 'a'" in data.note.text()
    assert data.value() == ()
    assert find_image(layers["small"], [layers["a"], layers["aa"]]) is None


def test_stacks_are_grey_and_of_one_channel(layers: dict[str, Any]) -> None:
    pair = LayerPair(layers["a"], layers["stack"], structure="dna")
    with pytest.raises(ValueError, match="z"):
        pair_stacks(pair)
    signal, target = pair_stacks(LayerPair(layers["stack"], layers["a"], structure="dna"))
    assert (signal.axes, target.axes) == ("zyx", "yx")
    signal, target = pair_stacks(LayerPair(layers["a"], layers["a"], structure="dna"))
    assert (signal.axes, signal.shape) == ("zyx", (1, *target.shape)), "a plane is a stack of one"


def test_another_kind_empties_the_list(data: TrainData) -> None:
    data.add_all()
    data.set_structures(True)
    assert data.value() == ()


def test_ticks_embrace_the_values() -> None:
    for values in ([0.1, 0.7], [3.0], [0.0, 0.0], [1e-4, 2e-4], [-5.0, 700.0], [float("nan"), 1.0]):
        ticks = _ticks(values)
        finite = [value for value in values if value == value]
        assert ticks[0] <= min(finite)
        assert ticks[-1] >= max(finite)
        assert 2 <= len(ticks) <= 8
        assert np.ptp(np.diff(ticks)) < 1e-6


def test_a_curve_is_drawn_and_read_out(qtbot: QtBot) -> None:
    plot = CurvePlot("#56b4e9")
    qtbot.addWidget(plot)
    plot.resize(300, 110)
    empty = plot.grab().toImage()
    plot.set_curve(Curve("F1", ((0.0, 0.2), (1.0, 0.8), (2.0, 0.7)), base=0.5, best=0.8))
    assert plot.grab().toImage() != empty
    assert plot.text() == "F1, now 0.7, best 0.8, base model 0.5"


def test_a_picture_shows_both_outlines() -> None:
    image = np.full((20, 30), 100, np.uint8)
    truth, found = np.zeros((2, 20, 30), np.int32)
    truth[2:8, 2:8] = 1
    found[10:16, 12:18] = 1
    truth[:, 25:] = -1
    pixels = draw_outlines(image, truth, found.astype(np.uint32))
    assert tuple(pixels[2, 4]) == TRUTH
    assert tuple(pixels[10, 14]) == FOUND
    assert tuple(pixels[5, 5]) == (100, 100, 100)
    assert tuple(pixels[5, 28]) == (50, 50, 50), "nobody annotated it"
    assert draw_outlines(
        np.zeros((900, 800, 3), np.uint8), *np.zeros((2, 900, 800), int)
    ).shape == (
        320,
        320,
        3,
    )
    assert side_by_side(image, image + 1.0).shape == (20, 64, 3)


def test_a_view_follows_a_run(qtbot: QtBot) -> None:
    view = TrainView()
    qtbot.addWidget(view)
    rows = ({"step": 5.0, "minutes": 1.0, "loss": 0.9, "f1_0.50": 0.6},)
    plane = np.zeros((8, 9), np.uint8)
    preview = ("a", plane, plane.astype(np.int32), plane.astype(np.uint32))
    base = {"f1_0.50": 0.5}
    view.set_state(TrainingState(6, 1.2, 2.0, 3.0, 0.8, rows, base, rows[0], preview, "cpu"))
    assert view.facts.text() == "Epoch 3.0, step 6, about 2 min left, on cpu"
    assert view.score_plot.text() == "F1, validation, now 0.6, best 0.6, base model 0.5"
    assert view.loss_plot.curve.points == ((1.0, 0.9), (1.2, 0.8))
    assert "'a'" in view.picture.caption.text()
    view.end()
    assert view.facts.text() == "Epoch 3.0, step 6, on cpu"
    view.clear()
    view.set_state(TrainingState(0, 0.0, float("nan"), 0.0, float("nan")))
    assert not view.picture.isVisibleTo(view)
    assert not view.score_plot.isVisibleTo(view)
