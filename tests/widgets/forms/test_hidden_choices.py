"""A choice that is not on display has no effect, in any form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_ssp.widgets.predict.choices import PredictChoices
from napari_ssp.widgets.predict.form import PredictForm
from napari_ssp.widgets.segment.choices import SegmentChoices
from napari_ssp.widgets.segment.form import SegmentForm
from napari_ssp.widgets.train.choices import CELLS, STRUCTURES, TrainChoices
from napari_ssp.widgets.train.form import TrainForm

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.forms.editor_form import EditorForm

#: Another value than the default, for every choice of every form.
CHANGED: dict[type[EditorForm], dict[str, Any]] = {
    SegmentForm: {
        "normalise": "region",
        "model": "mine",
        "fallback": False,
        "average_with": "mine",
        "channel": 1,
        "nuclei": 0,
        "diameter": 12.0,
        "device": "cpu",
        "precision": "float32",
        "compute": "processes",
        "cell_threshold": 0.3,
        "flow_threshold": 0.9,
        "min_size": 99,
        "hole_size": 7,
        "overlap": 0.2,
        "batch_size": 3,
        "tile": 128,
        "tta": True,
        "eightfold": True,
        "stacks": "linked",
        "all_planes": True,
        "visible_only": True,
        "error_map": True,
        "keep_flows": True,
        "keep_probability": True,
    },
    PredictForm: {
        "model": "mine",
        "tasks": ("dna",),
        "channel": 1,
        "voxel_size": (1.0, 0.5, 0.5),
        "z_range": (1, 3),
        "visible_only": True,
        "measured_units": True,
        "spread": True,
        "device": "cpu",
        "precision": "float32",
        "compute": "processes",
        "overlap": 0.2,
        "batch_size": 3,
    },
    TrainForm: {
        "learn": CELLS,
        "base": "mine",
        "name": "new",
        "duration": (3.0, "epochs"),
        "trainable": "lora",
        "augmentation": "none",
        "learning_rate": 1e-5,
        "batch_size": 5,
        "crop": 128,
        "fit_to_time": False,
        "replay": Path("old"),
        "validation": Path("kept"),
        "device": "cpu",
        "compute": "processes",
    },
}


def _full(kind: type[EditorForm]) -> Any:
    """Form where every choice applies, and none has its default."""
    form: Any = kind()
    if isinstance(form, TrainForm):
        form.set_models([("mine", "mediar", ""), ("mediar-starter", "mediar", "")])
    else:
        form.set_models([("mediar-starter", ""), ("mine", "")])
        form.set_channels([("DNA", 0), ("actin", 1)])
        form.set_planes(5)
    if isinstance(form, SegmentForm):
        form.set_in_zarr(True)
        form.set_critic("mine", "my-critic", False)
    if isinstance(form, PredictForm):
        form.set_tasks([("dna", ""), ("actin", "")])
        form.set_units_known(True)
    form.set_value(form.value_type(**CHANGED[kind]))
    form.set_advanced_open(True)
    return form


def _hide_segment(form: Any) -> None:
    form.set_channels(())
    form.set_planes(1)
    form.set_models([("mediar-starter", "")])
    form.set_region_available("3D display")
    form.set_in_zarr(False)
    form.set_written(True)


def _hide_predict(form: Any) -> None:
    form.set_channels(())
    form.set_planes(1)
    form.set_units_known(False)
    form.set_region_available("3D display")


def _hide_train(form: Any) -> None:
    form.change(learn=STRUCTURES)


HIDERS = {SegmentForm: _hide_segment, PredictForm: _hide_predict, TrainForm: _hide_train}


@pytest.mark.parametrize("kind", list(CHANGED))
def test_every_choice_counts_only_where_it_applies(kind: type[EditorForm], qtbot: QtBot) -> None:
    form = _full(kind)
    qtbot.addWidget(form)
    changed, defaults = CHANGED[kind], form.value_type()
    assert set(changed) == set(form._editors)
    for name, chosen in changed.items():
        assert getattr(form.value(), name) == chosen, name
        form._set_applies(name, False)
        assert getattr(form.value(), name) == getattr(defaults, name), name
        form._set_applies(name, True)
        assert getattr(form.value(), name) == chosen, name


@pytest.mark.parametrize("kind", list(CHANGED))
def test_what_is_hidden_is_what_does_not_apply(kind: type[EditorForm], qtbot: QtBot) -> None:
    form = _full(kind)
    qtbot.addWidget(form)
    rows = {name: editor.widget for name, editor in form._editors.items()}
    assert all(form._form.isRowVisible(row) and row.isEnabled() for row in rows.values())
    HIDERS[kind](form)
    unseen = {n for n, r in rows.items() if not form._form.isRowVisible(r) or not r.isEnabled()}
    assert unseen == form._idle
    assert unseen
    read, defaults = form.value(), form.value_type()
    for name in unseen - {"model"}:
        assert getattr(read, name) == getattr(defaults, name), name


def test_the_choice_of_a_stack_waits_for_the_next_stack(qtbot: QtBot) -> None:
    form = SegmentForm()
    qtbot.addWidget(form)
    form.set_models([("mediar-starter", "")])
    form.set_planes(5)
    form.change(all_planes=True, stacks="linked")
    form.set_planes(1)
    assert form.value() == SegmentChoices()
    form.change(cell_threshold=0.3)
    form.set_planes(5)
    assert form.value() == SegmentChoices(all_planes=True, stacks="linked", cell_threshold=0.3)


def test_the_closed_fold_says_what_was_changed_in_it(qtbot: QtBot) -> None:
    form = SegmentForm()
    qtbot.addWidget(form)
    form.set_models([("mediar-starter", "")])
    assert form._toggle.text() == "Advanced"
    assert form._toggle.toolTip()
    form.change(tta=True, overlap=0.3)
    assert form._toggle.text() == "Advanced (2 changed)"
    assert form._toggle.toolTip() == "Changed: Overlap, Mirror averaging"
    assert form.value().tta
    form.change(tta=False, overlap=SegmentChoices().overlap)
    assert form._toggle.text() == "Advanced"


def test_what_does_not_apply_is_not_counted_as_changed(qtbot: QtBot) -> None:
    form = TrainForm()
    qtbot.addWidget(form)
    form.change(crop=128)
    assert form._toggle.text() == "Advanced (1 changed)"
    form.change(learn=STRUCTURES)
    assert form._toggle.text() == "Advanced"
    assert form.value() == TrainChoices(learn=STRUCTURES, base=form.value().base)
    form._editors["learning_rate"].widget.setText("fast")
    assert form._toggle.text() == "Advanced (1 changed)"


def test_a_form_without_units_asks_for_none(qtbot: QtBot) -> None:
    form = PredictForm()
    qtbot.addWidget(form)
    form.set_models([("repmode-starter", "")])
    form.change(measured_units=True)
    assert form.value() == PredictChoices()
