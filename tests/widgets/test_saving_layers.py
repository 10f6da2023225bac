"""Labels saved as a person does it: File > Save selected layers, with our writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from npe2 import PluginManager
from qtpy.QtWidgets import QFileDialog

from napari_ssp.io import read_image

if TYPE_CHECKING:
    from pathlib import Path

    import napari

PLUGIN = "napari-ssp"


def _save_selected(viewer: napari.Viewer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose a file in napari's dialog, with the first of our filters for it."""

    def choose(*args: Any, filter: str, **kwargs: Any) -> tuple[str, str]:
        ours = [f for f in filter.split(";;") if f.startswith(PLUGIN) and path.suffix in f]
        return str(path), ours[0]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    viewer.window._qt_viewer._save_layers_dialog(selected=True)


@pytest.mark.parametrize("ending", [".tif", ".zarr"])
def test_labels_below_0_are_refused_and_leave_no_file(
    viewer: napari.Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    PluginManager.instance().discover()
    pixels = np.array([[0, 0, 7], [5, 5, 7]], np.int32)
    layer = viewer.add_labels(pixels.copy(), name="by another program")
    path = tmp_path / f"labels.ome{ending}"
    _save_selected(viewer, path, monkeypatch)
    np.testing.assert_array_equal(read_image(path).data, pixels)
    before = sorted(p.stat().st_mtime_ns for p in tmp_path.rglob("*"))
    layer.data[0, 0] = -1
    with pytest.raises(ValueError, match="reach from -1 to 7, but a file holds 0 to"):
        _save_selected(viewer, path, monkeypatch)
    assert sorted(p.stat().st_mtime_ns for p in tmp_path.rglob("*")) == before
