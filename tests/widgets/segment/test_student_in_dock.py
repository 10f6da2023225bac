"""A student in the Segment dock: chosen like any other model, and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from dock_driver import run, settle
from threshold_student import write_threshold_student

from napari_ssp.registry.folders import cache_folder

if TYPE_CHECKING:
    import napari
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.segment.dock import SegmentDock


def test_mitochondria_become_a_layer(
    viewer: napari.Viewer, dock: SegmentDock, qtbot: QtBot
) -> None:
    write_threshold_student(cache_folder() / "models" / "mitochondria", "mitochondria")
    image = np.random.default_rng(0).integers(20, 60, (75, 94)).astype(np.uint8)
    image[10:20, 10:30], image[40:60, 50:70] = 200, 220
    viewer.add_image(image, name="em")
    dock.choose_model("mitochondria")
    assert "12 windows" in settle(dock, qtbot)
    run(dock, qtbot)
    assert dock.panel.message.text().startswith("Found 2 objects in")
    labels = viewer.layers[-1]
    assert labels.name == "em labels"
    assert labels.data.max() == 2
    assert (labels.data[10:20, 10:30] == labels.data[15, 15]).all()
    assert labels.metadata["napari_ssp"]["model"]["family"] == "student"
