"""Make the pictures of ``docs/images``: ``make screenshots``."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import virtual_screen

if TYPE_CHECKING:
    import napari

    from napari_ssp.widgets.segment_dock import SegmentDock

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
_WINDOW = (1400, 860)


def main() -> int:
    if virtual_screen.is_needed():
        return virtual_screen.run_again()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        FOLDER.mkdir(parents=True, exist_ok=True)
        for shoot in (fluorescence, running, phase_contrast, advanced, colours, error):
            viewer, dock = _open()
            shoot(viewer, dock)
            viewer.close()
    return 0


def fluorescence(viewer: napari.Viewer, dock: SegmentDock) -> None:
    _segment(viewer, dock, "fluorescent_nuclei")
    _save(viewer, "segment-fluorescence")


def running(viewer: napari.Viewer, dock: SegmentDock) -> None:
    viewer.open_sample("napari-ssp", "phase_contrast_cells")
    dock.update_plan()
    dock.panel.run_button.click()
    _wait(lambda: " left" in dock.panel.message.text() or dock.panel.run_button.isEnabled())
    _save(viewer, "segment-running")
    dock.panel.cancel_button.click()


def phase_contrast(viewer: napari.Viewer, dock: SegmentDock) -> None:
    labels = _segment(viewer, dock, "phase_contrast_cells")
    labels.contour = 2
    labels.opacity = 1
    _save(viewer, "segment-phase-contrast")


def advanced(viewer: napari.Viewer, dock: SegmentDock) -> None:
    dock.form.set_advanced_open(True)
    dock.form.set_value(replace(dock.form.value(), keep_flows=True, keep_probability=True))
    _segment(viewer, dock, "cell_painting")
    viewer.layers[-3].visible = True
    viewer.layers[-1].visible = False
    _save(viewer, "segment-advanced")


def colours(viewer: napari.Viewer, dock: SegmentDock) -> None:
    labels = _segment(viewer, dock, "stained_nuclei")
    labels.contour = 2
    labels.opacity = 1
    _save(viewer, "segment-colours")


def error(viewer: napari.Viewer, dock: SegmentDock) -> None:
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    dock.form.set_value(replace(dock.form.value(), device=absent))
    _segment(viewer, dock, "fluorescent_nuclei")
    _save(viewer, "segment-error")


def _open() -> tuple[napari.Viewer, SegmentDock]:
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*_WINDOW)
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment")
    _pause(300)  # the canvas gets its size, so that the image fits
    return viewer, dock


def _segment(viewer: napari.Viewer, dock: SegmentDock, sample: str) -> Any:
    viewer.open_sample("napari-ssp", sample)
    dock.update_plan()
    ended: list[Any] = []
    dock.done.connect(ended.append)
    dock.panel.run_button.click()
    _wait(lambda: bool(ended))
    return viewer.layers[-1]


def _save(viewer: napari.Viewer, name: str) -> None:
    viewer.reset_view()  # the panels may have become wider
    _pause(600)
    path = FOLDER / f"{name}.png"
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    print(path.relative_to(FOLDER.parent.parent), flush=True)


def _wait(reached: Any, seconds: float = 300) -> None:
    for _ in range(int(seconds / 0.05)):
        if reached():
            return
        _pause(50)
    raise TimeoutError(f"The dock did not get there within {seconds} s.")


def _pause(milliseconds: int) -> None:
    from qtpy.QtTest import QTest

    QTest.qWait(milliseconds)


if __name__ == "__main__":
    sys.exit(main())
