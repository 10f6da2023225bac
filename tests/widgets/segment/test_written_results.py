"""Large planes of an OME-Zarr in the Segment dock: written and seen as they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import LONG, run, settle

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_label_image, write_image
from napari_ssp.io.layer_attributes import METADATA_KEY, UNFINISHED_KEY
from napari_ssp.io.lazy import LazyArray
from napari_ssp.io.napari_reader import read_layers
from napari_ssp.io.napari_writer import write_labels_layer
from napari_ssp.io.ngff import pyramid
from napari_ssp.service import Gesture, JobState, SegmentRequest, Tool
from napari_ssp.service.blocks.requests import BlocksResult
from napari_ssp.service.blocks.unfinished import unfinished_folder
from napari_ssp.service.results import FELL_BACK
from napari_ssp.widgets.compare.comparing import list_object_labels
from napari_ssp.widgets.edit.editing import Editing
from napari_ssp.widgets.layers.images import layer_file
from napari_ssp.widgets.segment import partial_view
from napari_ssp.widgets.segment.partial_view import PartialView
from napari_ssp.widgets.segment.sentences import written_line
from napari_ssp.widgets.segment.stored_result import StoredResult

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot
    from qtpy.QtCore import QObject

    from napari_ssp.service import ModelService
    from napari_ssp.widgets.segment.dock import SegmentDock

_CHOICES = {"cell_threshold": 0.3, "flow_threshold": 1.0, "min_size": 4, "overlap": 0.25}


@pytest.fixture
def slide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two channels of 2 x 3 blocks of 64 px, as a pyramid."""
    monkeypatch.setattr(pyramid, "LARGEST_SIDE", 100)
    pixels = np.random.default_rng(5).integers(0, 4000, (2, 120, 150), np.uint16)
    image = MicroscopyImage(pixels, "cyx", (1.0, 0.5, 0.5), ("DNA", "actin"), position=(0, 3, 4))
    return write_image(tmp_path / "slide.ome.zarr", image)


@pytest.fixture
def large(
    viewer: napari.Viewer, dock: SegmentDock, slide: Path, finding_model: Path, qtbot: QtBot
) -> SegmentDock:
    """The dock with the second channel of the slide, and blocks of 64 px."""
    for data, attributes, _ in read_layers(str(slide)):
        viewer.add_image(data, **attributes)
    dock.choose_model(str(finding_model))
    dock.image_box.set_value(viewer.layers["slide actin"])
    settle(dock, qtbot)
    dock.form.change(tile=64, **_CHOICES)
    settle(dock, qtbot)
    return dock


@pytest.fixture
def expected(slide: Path, finding_model: Path, service: ModelService) -> NDArray[Any]:
    """Labels of the command, which are those of one piece."""
    request = SegmentRequest(slide, str(finding_model), channel=1, tile=64, **_CHOICES)
    return service.submit(request).result().labels


def _stop_amid(dock: SegmentDock, qtbot: QtBot, blocks: int) -> None:
    """Run until so many blocks can be seen, and cancel."""
    settle(dock, qtbot)
    dock.run()
    qtbot.waitUntil(lambda: dock.partial._count >= blocks, timeout=LONG)
    dock.cancel()


def _refusal(viewer: napari.Viewer, layer: Any, parent: QObject) -> str:
    """What is said to who removes an object by a click."""
    editing, said = Editing(viewer, parent), []
    editing.refused.connect(said.append)
    editing.draw(layer, Gesture(Tool.REMOVE, (), 1), np.array([[5.0, 5.0]]))
    return str(said[0])


def test_the_result_is_written_beside_the_image_and_shown(
    large: SegmentDock, viewer: napari.Viewer, slide: Path, expected: Any, qtbot: QtBot
) -> None:
    target = slide.with_name("slide_label.zarr")
    assert not large.result_file.isHidden()
    assert large.result_file.line.text() == str(target)
    plan = settle(large, qtbot)
    assert "6 blocks of 64 px, about " in plan
    assert "GiB of disk until it is finished, written to slide_label.zarr" in plan
    large.form.set_advanced_open(True)
    assert "fallback" not in large.form._idle  # one block decides
    assert run(large, qtbot).state is JobState.DONE
    np.testing.assert_array_equal(np.asarray(read_label_image(target).data), expected)
    assert list(slide.parent.glob("*.unfinished")) == []
    layer = viewer.layers["slide actin labels"]
    for level, step in zip(layer.data, (1, 2), strict=True):
        np.testing.assert_array_equal(np.asarray(level), expected[::step, ::step])
    np.testing.assert_allclose(layer.translate, (3, 4))
    np.testing.assert_allclose(layer.scale, (0.5, 0.5))
    record = layer.metadata[METADATA_KEY]
    assert record["request"]["image"] == str(slide)
    assert record["request"]["channel"] == 1
    assert list_object_labels(viewer) == [layer]
    assert layer_file(layer) == target
    message = large.panel.message.text()
    assert message.startswith(f"Found {expected.max()} cells in ")
    assert f"written to '{target}'" in message
    assert "what the network said was not kept" in large.refining.panel.message.text()
    assert "is a pyramid, read from its file" in _refusal(viewer, layer, large)
    # Running again never replaces it by itself.
    assert "exists already" in settle(large, qtbot)
    assert not large.panel.run_button.isEnabled()
    large.result_file.overwrite_box.setChecked(True)
    large.form.change(min_size=12)
    assert run(large, qtbot).state is JobState.DONE
    fewer = np.asarray(viewer.layers["slide actin labels"].data[0])
    assert 0 < fewer.max() < expected.max()


def test_blocks_are_seen_kept_and_gone_on_with(
    large: SegmentDock, viewer: napari.Viewer, slide: Path, expected: Any, qtbot: QtBot
) -> None:
    target = slide.with_name("slide_label.zarr")
    _stop_amid(large, qtbot, 1)
    assert "blocks that are done are kept" in large.panel.message.text()
    layer = viewer.layers["slide actin labels, unfinished"]
    assert (layer.multiscale, tuple(layer.translate)) == (True, (3, 4))
    assert np.asarray(layer.data[0]).any()
    # It is no result for anybody else.
    assert UNFINISHED_KEY in layer.metadata
    assert list_object_labels(viewer) == []
    assert layer not in large.image_box
    assert "is being made. Edit" in _refusal(viewer, layer, large)
    with pytest.raises(ValueError, match="being made, so it is not saved"):
        write_labels_layer("any.tif", layer.data, layer.as_layer_data_tuple()[1])
    with pytest.raises(ValueError, match="being made or was stopped"):
        read_layers(str(unfinished_folder(target)))
    plan = settle(large, qtbot)
    assert "of the network's 6 blocks are done already" in plan
    large.form.change(min_size=5)
    assert "is the unfinished result of another run: min_size was 4 and is 5" in settle(
        large, qtbot
    )
    large.form.change(min_size=4)
    assert run(large, qtbot).state is JobState.DONE
    np.testing.assert_array_equal(np.asarray(read_label_image(target).data), expected)
    assert [x.name for x in viewer.layers] == ["slide DNA", "slide actin", "slide actin labels"]


class _Growing:
    """Labels of which there is more at each look, as a pyramid of two levels."""

    axes, origin, channel, count = "yx", (0, 0, 0, 0), 0, 1

    def __init__(self) -> None:
        self.pixels = np.zeros((600, 600), np.uint32)
        self.pixels[:300, :300] = 1

    def levels(self, axes: str) -> list[_Seen]:
        return [_Seen(self.pixels[::step, ::step]) for step in (1, 2)]


class _Seen(LazyArray):
    def __init__(self, pixels: NDArray[Any]) -> None:
        self._pixels = pixels
        self.shape, self.dtype = pixels.shape, pixels.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        return self.shape

    def _read(self, box: tuple[range, ...]) -> NDArray[Any]:
        return self._pixels[tuple(slice(part.start, part.stop) for part in box)].copy()


def test_all_levels_are_read_anew_when_blocks_are_added(
    viewer: napari.Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_view, "_PAUSE", 0.0)
    image = viewer.add_image(np.zeros((600, 600), np.uint8), axis_labels=("y", "x"))
    view, labels = PartialView(viewer), _Growing()
    view.show(labels, image)
    before = view.layer.thumbnail.copy()
    labels.pixels[300:, 300:] = 7
    labels.count = 2
    view.show(labels, image)
    assert not np.array_equal(view.layer.thumbnail, before)
    assert viewer.layers.selection.active is image


def test_the_viewer_may_be_closed_amid_a_run(
    large: SegmentDock, viewer: napari.Viewer, slide: Path, qtbot: QtBot
) -> None:
    settle(large, qtbot)
    large.run()
    qtbot.waitUntil(lambda: large.partial._count > 0, timeout=LONG)
    viewer.window.remove_dock_widget(large)
    assert not large.controller.is_running
    folder = unfinished_folder(slide.with_name("slide_label.zarr"))
    assert list((folder / "ledger" / "network").iterdir())


def test_labels_stay_in_memory_where_that_is_chosen(
    large: SegmentDock, viewer: napari.Viewer, expected: Any, qtbot: QtBot
) -> None:
    large.result_file.write_box.setChecked(False)
    assert "written to" not in settle(large, qtbot)
    assert run(large, qtbot).state is JobState.DONE
    layer = viewer.layers["slide actin labels"]
    assert isinstance(layer.data, np.ndarray)
    np.testing.assert_array_equal(layer.data, expected)
    # So are those of an earlier request that is run again, whatever the dock would do now.
    image, request = viewer.layers["slide actin"], large.update_plan()
    large.result_file.write_box.setChecked(True)
    with qtbot.waitSignal(large.done, timeout=LONG) as done:
        large.repeat(request, image)
    assert done.args[0].state is JobState.DONE
    np.testing.assert_array_equal(layer.data, expected)


def test_small_planes_and_others_are_not_offered_a_file(
    large: SegmentDock, viewer: napari.Viewer, qtbot: QtBot
) -> None:
    large.result_file.line.setText("labels.tif")
    assert "Give a folder and a name that ends with .zarr" in settle(large, qtbot)
    large.form.change(tile=None)
    settle(large, qtbot)
    assert large.result_file.isHidden()
    large.form.change(tile=64)
    settle(large, qtbot)
    assert not large.result_file.isHidden()
    layer = viewer.layers["slide actin"]
    layer.data = [level + 1 for level in layer.data]  # no longer what lies in the file
    large.update_plan()
    assert large.result_file.isHidden()


def test_another_model_that_was_taken_is_said(tmp_path: Path) -> None:
    said = (f"{FELL_BACK}: one finds nothing.", "Something about memory.")
    result = BlocksResult(tmp_path / "a.zarr", 3, {"seconds": 2.0}, said)
    line = written_line(StoredResult("yx", (0, 0, 0, 0), 0, {}, (), result))
    assert line.startswith("Found 3 cells in 2.0 s, written to")
    assert line.endswith(f"a.zarr'. {FELL_BACK}: one finds nothing.")
