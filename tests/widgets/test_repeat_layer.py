"""A result layer made again in a real viewer, and as a command: the same, bit for bit."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from dock_driver import LONG, run
from image_files import noise, write_channel_set
from qtpy.QtWidgets import QApplication

from napari_ssp.cli import main
from napari_ssp.widgets import repeat_layer
from napari_ssp.widgets.repeat_layer import build_command

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Labels
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.segment.dock import SegmentDock

RUN, COPY = "napari-ssp.run_again", "napari-ssp.copy_command"


def _choose(command: str) -> None:
    """Choose an entry of the menu Layers > Data."""
    from napari._app_model import get_app_model

    app = get_app_model()
    assert command in [
        item.command.id
        for item in app.menus.get_menu("napari/layers/data")
        if hasattr(item, "command")
    ]
    app.commands.execute_command(command).result()


@pytest.fixture
def dock(viewer: napari.Viewer) -> SegmentDock:
    """The dock as the menu opens it."""
    return viewer.window.add_plugin_dock_widget("napari-ssp", "Segment")[1]


@pytest.fixture
def file(nuclei: NDArray[np.uint8], tmp_path: Path) -> Path:
    path = tmp_path / "two channels.tif"
    data = np.stack([nuclei[::-1], nuclei])
    tifffile.imwrite(
        path, data, ome=True, metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "Actin"]}}
    )
    return path


def _segmented(viewer: napari.Viewer, dock: SegmentDock, qtbot: QtBot) -> Labels:
    run(dock, qtbot)
    labels: Any = viewer.layers[-1]
    assert labels.data.max() > 3
    viewer.layers.selection.active = labels
    return labels


def test_a_layer_is_made_again(
    viewer: napari.Viewer, dock: SegmentDock, nuclei: NDArray[np.uint8], qtbot: QtBot
) -> None:
    viewer.add_image(nuclei, name="nuclei")
    viewer.add_image(nuclei[::-1], name="other")
    dock.image_box.set_value(viewer.layers["nuclei"])
    dock.form.set_value(dock.form.value_type(cell_threshold=0.3, min_size=30))
    labels = _segmented(viewer, dock, qtbot)
    before, record = labels.data.copy(), labels.metadata["napari_ssp"]
    dock.form.set_value(dock.form.value_type())
    dock.image_box.set_value(viewer.layers["other"])
    with qtbot.waitSignal(dock.done, timeout=LONG):
        _choose(RUN)
    again = next(la for la in viewer.layers if la.metadata.get("napari_ssp", record) != record)
    np.testing.assert_array_equal(again.data, before)
    assert dock.form.value().cell_threshold == 0.3
    assert dock.image_box.value() is viewer.layers["nuclei"]


def test_the_copied_command_makes_the_layer_again(
    viewer: napari.Viewer,
    dock: SegmentDock,
    file: Path,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer.open(str(file), plugin="napari-ssp")
    dock.image_box.set_value(viewer.layers[1])
    labels = _segmented(viewer, dock, qtbot)
    told: list[str] = []
    monkeypatch.setattr(repeat_layer, "show_info", told.append)
    _choose(COPY)
    command = QApplication.clipboard().text()
    assert told == [f"Copied: {command}"]
    labels.metadata["napari_ssp"] |= {"edits": [{"edit": "add"}]}
    _choose(COPY)
    assert told[-1] == f"Copied: {command} It makes the labels without your edits."
    words = shlex.split(command)
    assert words[:3] == ["napari-ssp", "segment", str(file)]
    assert words[words.index("--channel") + 1] == "1"
    words[words.index("-o") + 1] = str(tmp_path / "out")
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, done.output
    [path] = (tmp_path / "out").glob("*_label.tiff")
    np.testing.assert_array_equal(tifffile.imread(path), labels.data)


def test_the_command_names_the_scene_of_the_layer(
    viewer: napari.Viewer,
    dock: SegmentDock,
    nuclei: NDArray[np.uint8],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    path = tmp_path / "positions.ome.tif"
    with tifffile.TiffWriter(path) as tif:
        for name, image in (("left", nuclei[::-1]), ("right side", nuclei)):
            tif.write(image, metadata={"axes": "YX", "Name": name})
    viewer.open(str(path), plugin="napari-ssp")
    assert [layer.name for layer in viewer.layers] == ["positions left", "positions right side"]
    dock.image_box.set_value(viewer.layers[1])
    labels = _segmented(viewer, dock, qtbot)
    assert labels.metadata["napari_ssp"]["request"]["scene"] == "right side"
    words = shlex.split(build_command(viewer))
    assert words[words.index("--scene") + 1] == "right side"
    words[words.index("-o") + 1] = str(tmp_path / "out")
    assert CliRunner().invoke(main, words[1:]).exit_code == 0
    found = tifffile.imread(tmp_path / "out" / "positions right side_label.tiff")
    np.testing.assert_array_equal(found, labels.data)


def test_files_of_a_set_are_opened_once(viewer: napari.Viewer, tmp_path: Path) -> None:
    files = write_channel_set(tmp_path / "set", [noise(20, 30, seed=k) for k in range(2)])
    with pytest.warns(UserWarning, match="which is open already"):
        viewer.open([str(file) for file in files], plugin="napari-ssp")
    assert [layer.name for layer in viewer.layers] == ["set_C0 channel 0", "set_C0 channel 1"]


def test_why_not_is_said(
    viewer: napari.Viewer,
    dock: SegmentDock,
    nuclei: NDArray[np.uint8],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(repeat_layer, "show_error", said.append)
    viewer.add_image(nuclei, name="nuclei")
    _choose(RUN)
    assert "Select one layer that Segment" in said.pop()
    labels = _segmented(viewer, dock, qtbot)
    _choose(COPY)
    assert "'nuclei' was not read from a file" in said.pop()
    viewer.layers["nuclei"].name = "renamed"
    _choose(RUN)
    assert "'nuclei' that the result was made of is not there" in said.pop()
    viewer.layers["renamed"].name = "nuclei"
    labels.metadata["napari_ssp"]["request"]["quantum"] = 3
    _choose(RUN)
    assert "another version of napari-ssp" in said.pop()


def test_a_part_of_a_file_has_no_command(
    viewer: napari.Viewer, dock: SegmentDock, file: Path, qtbot: QtBot
) -> None:
    viewer.open(str(file), plugin="napari-ssp")
    viewer.layers[1].name = "mine"
    dock.image_box.set_value(viewer.layers[1])
    _segmented(viewer, dock, qtbot)
    with pytest.raises(ValueError, match="'mine' is not the whole image in"):
        build_command(viewer)
