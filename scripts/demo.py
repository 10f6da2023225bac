"""Segment real cells in a napari window: ``make demo``.

With a display the window stays open. Without one the same happens on a virtual screen, the whole
window is saved as ``demo.png`` in the current folder, and the program ends.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import virtual_screen
from window import start

if TYPE_CHECKING:
    import napari

    from napari_ssp.widgets.segment.dock import SegmentDock

SAMPLE = "fluorescent_nuclei"
_WINDOW = (1500, 940)


def main() -> int:
    arguments = _parse()
    if virtual_screen.is_needed():
        print("No display here: using a virtual screen.", flush=True)
        return virtual_screen.run_again()
    picture = arguments.screenshot
    if picture is None and virtual_screen.is_used():
        picture = Path("demo.png")
    return _show(arguments.sample, picture, began=time.monotonic())


def _parse() -> argparse.Namespace:
    from napari_ssp.io.samples import SAMPLES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", choices=sorted(SAMPLES), default=SAMPLE, help="sample image")
    parser.add_argument(
        "--screenshot", type=Path, metavar="PATH", help="save the window as PNG and end"
    )
    return parser.parse_args()


def _show(sample: str, picture: Path | None, began: float) -> int:
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(title="napari-ssp demo")
    viewer.window.resize(*_WINDOW)
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment")
    QApplication.processEvents()  # the canvas gets its size, so that the image fits
    viewer.open_sample("napari-ssp", sample)
    print(f"Segmenting the sample '{sample}' ...", flush=True)
    finish = Finish(viewer, dock, picture, began)
    dock.done.connect(finish)
    start(dock)
    napari.run()
    return 1 if finish.failed else 0


class Finish:
    """Says what was found, and ends the program when only a picture is wanted."""

    def __init__(
        self, viewer: napari.Viewer, dock: SegmentDock, picture: Path | None, began: float
    ) -> None:
        self._viewer = viewer
        self._dock = dock
        self._picture = picture
        self._began = began
        self.failed = False

    def __call__(self, outcome: Any) -> None:
        """Hear the end of the run."""
        self.failed = outcome.error is not None
        print(self._dock.panel.message.text(), flush=True)
        if self._picture is not None:
            from qtpy.QtCore import QTimer

            QTimer.singleShot(500, self._save_and_close)  # after the labels are drawn

    def _save_and_close(self) -> None:
        self._viewer.reset_view()  # the panels may have become wider
        self._viewer.screenshot(str(self._picture), canvas_only=False, flash=False)
        seconds = time.monotonic() - self._began
        print(f"The window is in {self._picture.resolve()} ({seconds:.0f} s in all).", flush=True)
        self._viewer.close()


if __name__ == "__main__":
    sys.exit(main())
