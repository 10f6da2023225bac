"""Tracks in a real viewer: lines with divisions, relabelled labels, files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import run, settle
from movies import dividing
from napari.layers import Labels, Tracks
from qtpy.QtWidgets import QFileDialog

from napari_ssp.io.objects.tables import read_rows
from napari_ssp.widgets.track.dock import TrackDock

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot


@pytest.fixture
def track_dock(viewer: napari.Viewer) -> TrackDock:
    dock = TrackDock(viewer)
    viewer.window.add_dock_widget(dock, name="Track objects")
    return dock


def add_movie(viewer: napari.Viewer, **place: Any) -> Labels:
    return viewer.add_labels(
        dividing().data,
        name="cells",
        axis_labels=("t", "y", "x"),
        **{"scale": (1, 0.5, 0.25), "units": ("pixel", "um", "um"), **place},
    )


def test_lines_divisions_and_labels(
    viewer: napari.Viewer, track_dock: TrackDock, qtbot: QtBot
) -> None:
    source = add_movie(viewer, translate=(0, 7.0, 9.0))
    assert settle(track_dock, qtbot) == "4 frames, 60 × 40 px"
    run(track_dock, qtbot)
    _, labels, tracks = viewer.layers
    assert isinstance(labels, Labels)
    assert isinstance(tracks, Tracks)
    assert (labels.name, tracks.name) == ("cells tracked", "cells tracks")
    assert [int(labels.data[k, 25, 25]) for k in range(4)] == [2, 2, 3, 3]
    assert tracks.graph == {3: [2], 4: [2]}
    np.testing.assert_array_equal(tracks.data[6], (3, 2, 24.5, 24.5))
    for layer in (labels, tracks):
        np.testing.assert_allclose(layer.scale, source.scale)
        np.testing.assert_allclose(layer.translate, source.translate)
        assert layer.units == source.units
        assert layer.axis_labels == source.axis_labels
    assert tracks.features["area_um2"].tolist()[6] == 12.5
    assert tracks.features["parent"].tolist()[6] == 2
    assert not source.visible
    assert track_dock.labels_box.value() is source
    message = track_dock.panel.message.text()
    assert message.startswith("5 tracks, 1 division, the longest through 4 frames.")


def test_another_run_updates_the_layers_unless_somebody_drew(
    viewer: napari.Viewer, track_dock: TrackDock, qtbot: QtBot
) -> None:
    source = add_movie(viewer)
    run(track_dock, qtbot)
    track_dock.form.change(divisions=False)
    source.scale = (1, 2, 2)
    viewer.layers["cells tracks"].color_by = "parent"
    run(track_dock, qtbot)
    assert len(viewer.layers) == 3
    assert viewer.layers["cells tracks"].color_by == "parent"
    for layer in viewer.layers:
        np.testing.assert_array_equal(layer.scale, (1, 2, 2))
    assert viewer.layers["cells tracks"].graph == {}
    assert viewer.layers["cells tracked"].data.max() == 4
    labels = viewer.layers["cells tracked"]
    labels.data_setitem((np.array([0]), np.array([0]), np.array([0])), 3)
    viewer.layers.selection.active = labels
    assert track_dock.labels_box.value() is labels  # it is to be tracked anew
    track_dock.labels_box.set_value(source)
    run(track_dock, qtbot)
    assert len(viewer.layers) == 5
    assert labels.data[0, 0, 0] == 3


def test_corrected_numbers_become_tracks_and_a_file(
    viewer: napari.Viewer,
    track_dock: TrackDock,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_movie(viewer)
    assert not track_dock.export_button.isEnabled()
    run(track_dock, qtbot)
    labels, out = viewer.layers["cells tracked"], tmp_path / "tracks.csv"
    labels.data_setitem(np.nonzero(labels.data == 3), 2)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    table = track_dock.export_button.menu().actions()[0]
    with qtbot.waitSignal(track_dock.done):
        table.trigger()
    assert "changed after they were tracked" in track_dock.panel.message.text()
    track_dock.labels_box.set_value(labels)
    track_dock.form.change(linking="numbers")
    run(track_dock, qtbot)
    with qtbot.waitSignal(track_dock.done):
        table.trigger()
    assert f"Saved {out}" in track_dock.panel.message.text()
    assert [row["track"] for _, row in read_rows(out)].count("2") == 4


@pytest.mark.parametrize("change", ["pixels", "scale"])
def test_tracks_of_labels_that_were_changed_since_are_not_exported(
    viewer: napari.Viewer,
    track_dock: TrackDock,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    source, out = add_movie(viewer), tmp_path / "tracks.csv"
    run(track_dock, qtbot)
    tracked = viewer.layers["cells tracked"]
    if change == "pixels":
        source.visible = True
        source.data_setitem(np.nonzero(source.data == source.data.max()), 0)
    else:
        source.scale = (1, 1, 1)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    table = track_dock.export_button.menu().actions()[0]
    with qtbot.waitSignal(track_dock.done):
        table.trigger()
    assert "'cells' was changed after it was tracked" in track_dock.panel.message.text()
    assert not out.exists()
    track_dock.labels_box.set_value(tracked)  # these are as they were
    with qtbot.waitSignal(track_dock.done):
        table.trigger()
    assert out.exists()


def test_what_cannot_be_tracked_is_said(
    viewer: napari.Viewer,
    track_dock: TrackDock,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "no labels to follow" in settle(track_dock, qtbot)
    stack = viewer.add_labels(np.zeros((3, 9, 9), int), axis_labels=("z", "y", "x"))
    track_dock.update_plan()
    assert "has no time points" in settle(track_dock, qtbot)
    stack.axis_labels = ("y", "t", "x")
    track_dock.update_plan()
    assert "time is the first" in settle(track_dock, qtbot)
    add_movie(viewer)
    monkeypatch.setitem(sys.modules, "laptrack", None)
    track_dock.form.change(linking="laptrack")
    track_dock.update_plan()
    assert 'pip install "napari-ssp[tracking]"' in settle(track_dock, qtbot)
    assert not track_dock.panel.run_button.isEnabled()


def test_choices_that_do_not_apply_are_hidden(track_dock: TrackDock) -> None:
    form = track_dock.form
    form.change(linking="numbers", divisions=False, max_gap=3)
    assert form.value().divisions
    assert form.value().max_gap == 1
    form.change(linking="laptrack")
    assert not form.value().divisions
    assert form.value().max_gap == 3


def test_a_movie_without_objects_is_said(
    viewer: napari.Viewer, track_dock: TrackDock, qtbot: QtBot
) -> None:
    viewer.add_labels(np.zeros((3, 9, 9), int), name="empty", axis_labels=("t", "y", "x"))
    run(track_dock, qtbot)
    assert track_dock.panel.message.text() == "'empty' has no objects to follow in any frame."
    assert len(viewer.layers) == 1
