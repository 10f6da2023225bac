"""Hands on a real napari window: open it, run its docks, use the mouse, wait."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari

    from napari_ssp.widgets.docks.job_dock import JobDock
    from napari_ssp.widgets.segment.dock import SegmentDock


@contextmanager
def own_settings() -> Iterator[Path]:
    """Let napari keep its settings in a folder for the time being, not among the user's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["NAPARI_CONFIG"] = str(folder / "napari.yaml")
        # Who opens files was answered: the offer is no part of every picture.
        (folder / "napari-ssp.yaml").write_text("files:\n  opened_with: as before\n")
        yield folder


def open_dock(title: str, size: tuple[int, int]) -> tuple[napari.Viewer, Any]:
    """Open a viewer of a size in pixels, and a dock by the name that menus have."""
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*size)
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", title)
    pause(300)  # the canvas gets its size, so that the image fits
    return viewer, dock


def segment_sample(viewer: napari.Viewer, dock: SegmentDock, sample: str) -> Any:
    """Open a sample and segment it; return the labels layer."""
    viewer.open_sample("napari-ssp", sample)
    run(dock)
    return viewer.layers[-1]


def start(dock: JobDock) -> None:
    """Click Run when the plan allows it, which takes a moment where the computer is busy."""
    dock.update_plan()
    wait(dock.panel.run_button.isEnabled)
    dock.panel.run_button.click()


def run(dock: JobDock) -> None:
    """Click Run and wait for the end."""
    ended: list[Any] = []
    dock.done.connect(ended.append)
    start(dock)
    wait(lambda: bool(ended))


def slide(dock: SegmentDock, **values: Any) -> None:
    """Move sliders of Refine and wait for the labels."""
    panel = dock.refining.panel
    settled: list[Any] = []
    dock.refining.settled.connect(lambda: settled.append(True))
    panel.set_value(replace(panel.value(), **values))
    wait(lambda: bool(settled))


def wait(reached: Any, seconds: float = 1200) -> None:
    """Let the window live until something is true."""
    for _ in range(int(seconds / 0.05)):
        if reached():
            return
        pause(50)
    raise TimeoutError(f"The dock did not get there within {seconds} s.")


def pause(milliseconds: int) -> None:
    """Let the window live for a while."""
    from qtpy.QtTest import QTest

    QTest.qWait(milliseconds)


def fits_window(viewer: napari.Viewer) -> bool:
    """Whether the window has made room for docks that became wider."""
    window = viewer.window._qt_window
    edges = (d.mapTo(window, d.rect().topRight()).x() for d in viewer.window.dock_widgets.values())
    return all(edge < window.width() for edge in edges)


def middles(labels: Any) -> list[tuple[float, float]]:
    """Middles of objects, from the middle of the image on."""
    import numpy as np
    from skimage.measure import regionprops

    half = np.array(labels.shape) / 2
    found = [each.centroid for each in regionprops(labels) if labels[pixel_at(each.centroid)]]
    return sorted(found, key=lambda place: float(np.hypot(*(place - half))))


def pixel_at(place: Any) -> tuple[int, int]:
    """Pixel at a place (y, x)."""
    return round(place[0]), round(place[1])


class Hand:
    """A mouse on the canvas, at places (y, x) in the pixels of a layer."""

    def __init__(self, viewer: napari.Viewer, layer: Any) -> None:
        self._viewer, self._layer = viewer, layer
        self._mouse = viewer.window._qt_viewer.canvas._scene_canvas._backend

    def draw(self, place: Any) -> None:
        """Click."""
        self.press([place])
        self.let_go(place)

    def press(self, places: list[Any]) -> None:
        """Press the button and move on, without letting go."""
        self._mouse._vispy_mouse_press(pos=self.on_canvas(places[0]), button=1, modifiers=())
        for place in places[1:]:
            pause(30)
            self._mouse._vispy_mouse_move(pos=self.on_canvas(place), modifiers=())

    def let_go(self, place: Any) -> None:
        """Let the button go."""
        self._mouse._vispy_mouse_release(pos=self.on_canvas(place), button=1, modifiers=())
        pause(300)

    def on_canvas(self, place: Any) -> tuple[float, float]:
        """Place (x, y) on the canvas, in its pixels."""
        camera, (height, width) = self._viewer.scene.camera, self._viewer.canvas.size
        y, x = self._layer.data_to_world(place)
        _, top, left = camera.center
        return width / 2 + (x - left) * camera.zoom, height / 2 + (y - top) * camera.zoom
