"""Record the first two minutes with the program: ``make recording`` (docs/images/first-steps.gif).

Every frame is a real window; the pointer and the line of words are drawn afterwards.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import virtual_screen
from PIL import Image, ImageDraw, ImageFont
from window import Hand, middles, own_settings, pause, run, slide, wait

if TYPE_CHECKING:
    import napari
    from qtpy.QtCore import QPoint
    from qtpy.QtWidgets import QWidget

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "first-steps.gif"
_WINDOW = (1240, 760)
#: Pixels of the recording; the line of words stands below the window.
_WIDTH, _LINE = 940, 34
#: Bytes; a page loads no more than that.
_LARGEST = 3_000_000
#: Outline of the pointer, from its tip.
_ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))


def main() -> int:
    if virtual_screen.is_needed():
        return virtual_screen.run_again()
    with own_settings():
        _record().save(PICTURE)
    size = PICTURE.stat().st_size
    print(f"{PICTURE.name}: {size / 1e6:.2f} MB")
    return int(size > _LARGEST)


def _record() -> Recording:
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*_WINDOW)
    recording = Recording(viewer)
    recording.say("Drop an image, or choose File > Open Sample > napari-ssp")
    recording.shoot(1500)
    viewer.open_sample("napari-ssp", "phase_contrast_cells")
    recording.shoot(1200)
    labels = _segment(viewer, recording)
    _refine(viewer, recording)
    _edit(viewer, recording, labels)
    _measure(viewer, recording)
    viewer.close()
    return recording


def _segment(viewer: napari.Viewer, recording: Recording) -> Any:
    recording.say("Plugins > napari-ssp > Segment: it says what it understood. Press Run")
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment", tabify=True)
    wait(dock.panel.run_button.isEnabled)
    viewer.reset_view()
    recording.point(dock.panel.run_button)
    recording.shoot(2200)
    ended: list[Any] = []
    dock.done.connect(ended.append)
    dock.panel.run_button.click()
    for _ in range(4):
        if not ended:
            recording.shoot(500)
    wait(lambda: bool(ended))
    recording.leave()
    recording.say("Each cell has a number and a colour")
    recording.shoot(2200)
    return viewer.layers[-1]


def _refine(viewer: napari.Viewer, recording: Recording) -> None:
    labels, dock = viewer.layers[-1], _dock(viewer, "Segment")
    labels.contour, labels.opacity = 2, 1
    viewer.scene.camera.zoom *= 1.6
    recording.say("Refine: the sliders answer at once, without the network")
    recording.shoot(1000)
    for threshold in (0.4, 0.25, 0.15):
        slide(dock, cell_threshold=threshold)
        recording.point(dock.refining.panel)
        recording.shoot(700)
    recording.leave()


def _edit(viewer: napari.Viewer, recording: Recording, labels: Any) -> None:
    from napari_ssp.service import Tool

    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Edit objects", tabify=True)
    viewer.layers.selection.active = labels
    recording.say("Edit objects: a click removes a cell ...")
    cells, hand = middles(labels.data), Hand(viewer, labels)
    y, x = cells[0]
    dock.toggle(Tool.REMOVE)
    recording.point_at(hand, (y, x))
    recording.shoot(1400)
    hand.draw((y, x))
    recording.shoot(1200)
    recording.say("... and a click adds one, by what the network saw")
    dock.toggle(Tool.ADD)
    recording.shoot(900)
    hand.draw((y, x))
    recording.shoot(1400)
    recording.say("A line splits a cell; Ctrl+Z takes it back")
    dock.toggle(Tool.SPLIT)
    y, x = cells[1]
    line = [(y - 30, x - 4), (y, x), (y + 30, x + 4)]
    hand.press(line)
    recording.point_at(hand, line[-1])
    recording.shoot(1200)
    hand.let_go(line[-1])
    recording.shoot(1600)
    recording.leave()


def _measure(viewer: napari.Viewer, recording: Recording) -> None:
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Measure objects", tabify=True)
    recording.say("Measure objects: a table, and colours by a column")
    run(dock)
    recording.shoot(1200)
    dock.table_button.click()
    recording.shoot(1200)
    dock.table.panel.view.selectRow(3)
    recording.shoot(1200)
    dock.colours.box.set_value("area_px2")
    recording.shoot(1800)
    recording.say("Save labels and table; teach the model with what you corrected")
    recording.shoot(2600)


def _dock(viewer: napari.Viewer, title: str) -> Any:
    (found,) = (d for name, d in viewer.window.dock_widgets.items() if name.startswith(title))
    return found


class Recording:
    """Frames of a window, each with a line of words, a pointer and how long it stands."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._words = ""
        self._pointer: tuple[QWidget, QPoint | None] | None = None
        self._frames: list[Image.Image] = []
        self._times: list[int] = []
        self._font = ImageFont.load_default(17)

    def say(self, words: str) -> None:
        """Put a line of words below the frames from now on."""
        self._words = words

    def point(self, widget: QWidget) -> None:
        """Hold the pointer over the middle of a widget from now on."""
        self._pointer = (widget, None)

    def point_at(self, hand: Any, place: tuple[float, float]) -> None:
        """Hold the pointer over a pixel (y, x) of a layer from now on."""
        from qtpy.QtCore import QPoint

        canvas = self._viewer.window._qt_viewer.canvas.native
        self._pointer = (canvas, QPoint(*map(round, hand.on_canvas(place))))

    def leave(self) -> None:
        """Take the pointer away."""
        self._pointer = None

    def shoot(self, milliseconds: int) -> None:
        """Take a frame, once the window has drawn itself."""
        pause(400)
        pixels = self._viewer.screenshot(canvas_only=False, flash=False)
        self._frames.append(self._composed(Image.fromarray(pixels).convert("RGB")))
        self._times.append(milliseconds)

    def save(self, path: Path) -> None:
        """Write a GIF of one palette, so that a frame holds only what has changed."""
        sheet = Image.new("RGB", (_WIDTH, sum(frame.height for frame in self._frames)))
        top = 0
        for frame in self._frames:
            sheet.paste(frame, (0, top))
            top += frame.height
        palette = sheet.quantize(256, dither=Image.Dither.NONE)
        first, *others = (
            frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._frames
        )
        first.save(
            path, save_all=True, append_images=others, duration=self._times, loop=0, optimize=True
        )

    def _composed(self, window: Image.Image) -> Image.Image:
        height = round(window.height * _WIDTH / window.width)
        frame = Image.new("RGB", (_WIDTH, height + _LINE), "#101318")
        frame.paste(window.resize((_WIDTH, height), Image.Resampling.LANCZOS))
        draw = ImageDraw.Draw(frame)
        draw.text((12, height + 6), self._words, "#f2f4f8", self._font)
        if self._pointer is not None:
            widget, place = self._pointer
            whole = self._viewer.window._qt_window
            place = widget.rect().center() if place is None else place
            tip, scale = widget.mapTo(whole, place), _WIDTH / whole.width()
            arrow = [(tip.x() * scale + x, tip.y() * scale + y) for x, y in _ARROW]
            draw.polygon(arrow, "white", "black")
        return frame


if __name__ == "__main__":
    sys.exit(main())
