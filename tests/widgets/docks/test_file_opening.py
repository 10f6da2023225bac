"""Who opens image files: offered once, carried out in napari's own setting, and undone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from napari.errors import MultipleReaderError
from napari.settings import get_plugin_settings, get_settings
from qtpy.QtWidgets import QApplication

from napari_ssp.registry import cache_folder
from napari_ssp.widgets.docks.file_offer import FileOffer
from napari_ssp.widgets.docks.file_opening import AS_BEFORE, NOT_ASKED, OURS, patterns
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari

_BEFORE = {"*.csv": "napari", "*.tiff": "napari"}


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., napari.Viewer]) -> napari.Viewer:
    """Find the viewer on the screen, since a dock makes the offer when it is seen."""
    return make_napari_viewer(show=True)


@pytest.fixture
def opened_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Settings of somebody who was never asked, and once chose a reader by hand."""
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    readers = get_settings().plugins.extension2reader
    files = get_plugin_settings("napari-ssp").files
    files.opened_with = NOT_ASKED
    get_settings().plugins.extension2reader = dict(_BEFORE)
    yield files
    files.opened_with = AS_BEFORE
    get_settings().plugins.extension2reader = readers


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "stack.TIF"
    data = np.zeros((3, 2, 8, 9), np.uint8)
    spacing = {"axes": "ZCYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(path, data, imagej=True, resolution=(2.0, 2.0), metadata=spacing)
    return path


def _offers(dock: Any) -> list[FileOffer]:
    for _ in range(3):  # what is added to a dock is shown by an event after that of the dock
        QApplication.processEvents()
    return [offer for offer in dock.findChildren(FileOffer) if offer.isVisible()]


def _open(viewer: napari.Viewer, kind: Any) -> Any:
    dock = kind(viewer)
    viewer.window.add_dock_widget(dock, name=kind.__name__)
    return dock


def test_a_dropped_tiff_keeps_its_axes_after_consent_and_undo_puts_all_back(
    viewer: napari.Viewer, opened_with: Any, stack: Path
) -> None:
    with pytest.raises(MultipleReaderError):
        viewer.open(stack, plugin=None)  # a dropped file opens napari's dialog then
    (offer,) = _offers(_open(viewer, SegmentDock))
    assert _offers(_open(viewer, MeasureDock)) == [], "only in the first dock"

    offer.accept_button.click()
    viewer.window._qt_viewer._qt_open([str(stack)], stack=False, choose_plugin=False)
    assert [layer.data.shape for layer in viewer.layers] == [(3, 8, 9)] * 2
    np.testing.assert_allclose(viewer.layers[0].scale, (2.0, 0.5, 0.5))
    assert get_settings().plugins.extension2reader == _BEFORE | dict.fromkeys(patterns(), OURS)
    own_file = Path(os.environ["NAPARI_CONFIG"]).with_name("napari-ssp.yaml")
    assert f"opened_with: {OURS}" in own_file.read_text()

    offer.undo_button.click()
    assert get_settings().plugins.extension2reader == _BEFORE
    assert not list(cache_folder().iterdir())
    with pytest.raises(MultipleReaderError):
        viewer.open(stack, plugin=None)


def test_who_says_no_is_not_asked_again(viewer: napari.Viewer, opened_with: Any) -> None:
    (offer,) = _offers(_open(viewer, SegmentDock))
    offer.decline_button.click()
    assert not offer.isVisible()
    assert get_settings().plugins.extension2reader == _BEFORE
    assert _offers(_open(viewer, SegmentDock)) == []


def test_preferences_say_the_same(viewer: napari.Viewer, opened_with: Any) -> None:
    opened_with.opened_with = OURS  # before any dock was opened
    assert _offers(_open(viewer, SegmentDock)) == []
    assert get_settings().plugins.extension2reader["*.czi"] == OURS
    get_settings().plugins.extension2reader |= {"*.czi": "another"}
    opened_with.opened_with = AS_BEFORE
    expected = _BEFORE | {"*.czi": "another"}
    assert get_settings().plugins.extension2reader == expected, "what was chosen since stays"


def test_patterns_are_those_of_formats_with_axes_also_in_capitals() -> None:
    assert {"*.tif", "*.TIFF", "*.czi", "*.zarr/"} <= set(patterns())
    assert not [name for name in patterns() if "masks" in name or "seg" in name]
