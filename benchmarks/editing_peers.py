"""What twenty planted faults take in the window of the Edit dock, and in that of cellpose.

    python benchmarks/editing_peers.py                   # the Edit dock, in napari
    python benchmarks/editing_peers.py --peers FOLDER    # cellpose's own tools, in its own window

The faults are those of `benchmarks/editing.py`: missed, merged, split and extra cells, five of
each, among 1,200 in 1024 x 1024 pixels. Both windows get the events of a person's mouse. FOLDER is
where the peer was installed, apart from this environment:

    pip install --target FOLDER --no-deps "cellpose[gui]" pyqtgraph colorama fastremap fill-voids \
        roifile natsort tqdm segment-anything opencv-python-headless imagecodecs

cellpose deletes with Ctrl and a click, merges with a click and an Alt click, and draws an outline
from a right click; it has no tool to split, so both cells are deleted and drawn. The outlines are
the true ones, as no hand draws them. Its automatic saving is off. Seconds are those of the
processor, with the drawing of the window, because other work disturbs the clock on the wall; a
person's own time is not in them. micro-sam is not measured: its tools ask a network whose weights
are no part of its package.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import numpy as np
import virtual_screen
from planted_faults import Fault, Planted, Point, plant

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDE, _COUNT, _WINDOW = 1024, 1200, (1800, 1200)
_KINDS = ("missed", "merged", "split", "extra")


class Action(NamedTuple):
    """A movement of the hand: a click, or a line drawn from point to point."""

    points: tuple[Point, ...]
    key: str = ""

    @property
    def length(self) -> float:
        """Pixels that the mouse is drawn along."""
        return float(np.hypot(*np.diff(np.array(self.points), axis=0).T).sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", help="folder in which cellpose is installed")
    chosen = parser.parse_args()
    if virtual_screen.is_needed():
        return virtual_screen.run_again(*_WINDOW)
    from flows import crowded_cells

    planted = plant(crowded_cells(_SIDE, _COUNT).astype(np.uint32))
    print(f"load {os.getloadavg()[0]:.1f}; with twenty faults: {planted.describe(planted.labels)}")
    if chosen.peers is None:
        labels = mend_in_dock(planted)
    else:
        sys.path.append(chosen.peers)
        with tempfile.TemporaryDirectory() as folder:
            labels = mend_in_cellpose(planted, Path(folder))
    print(f"afterwards: {planted.describe(labels)}")
    return 0


def mend_in_dock(planted: Planted) -> Any:
    """Mend the faults with the Edit dock; return the labels."""
    from window import Hand, open_dock, own_settings, wait

    from flows import network_like
    from napari_ssp.service import Segmentation, Tool
    from napari_ssp.widgets.layers.shown_segmentations import remember_segmentation

    with own_settings():
        viewer, dock = open_dock("Edit objects", _WINDOW)
        cells = viewer.add_labels(planted.labels.copy())
        found = Segmentation(planted.labels, *network_like(planted.truth))
        remember_segmentation(cells, found)
        viewer.reset_view()
        hand = Hand(viewer, cells)
        for kind, tool in zip(_KINDS, ("add", "split", "join", "remove"), strict=True):
            faults, began = of_kind(planted, kind), time.process_time()
            dock.toggle(Tool(tool))
            for fault in faults:
                hand.press(list(fault.points))
                hand.let_go(fault.points[-1])
                wait(lambda: dock.editing.is_settled)
            say(kind, [Action(fault.points) for fault in faults], time.process_time() - began, 1)
        labels = cells.data.copy()
        viewer.close()
    return labels


def mend_in_cellpose(planted: Planted, folder: Path) -> Any:
    """Mend the faults with cellpose's window; return the labels."""
    window = CellposeWindow(planted.labels, folder)
    for kind in _KINDS:
        actions = [
            each
            for fault in of_kind(planted, kind)
            for each in actions_in_cellpose(planted.truth, fault)
        ]
        began = time.process_time()
        for action in actions:
            window.carry_out(action)
        say(kind, actions, time.process_time() - began, sum(bool(each.key) for each in actions))
    return window.labels


def of_kind(planted: Planted, kind: str) -> list[Fault]:
    """Faults of a kind."""
    return [fault for fault in planted.faults if fault.kind == kind]


def say(kind: str, actions: Sequence[Action], seconds: float, keys: int) -> None:
    """Print a row: five faults of a kind."""
    lines = [each.length for each in actions if len(each.points) > 1]
    print(
        f"{kind:8} {len(actions) - len(lines):3} clicks {len(lines):3} lines "
        f"{sum(lines):6.0f} px drawn {keys:3} keys {seconds:6.2f} s",
        flush=True,
    )


def actions_in_cellpose(truth: Any, fault: Fault) -> list[Action]:
    """Say what a person does about a fault in cellpose's window."""
    outlines = [Action(outline(truth == number)) for number in fault.cells]
    match fault.kind:
        case "missed":
            return outlines
        case "merged":
            (y, x), (bottom, _) = fault.points
            return [Action((((y + bottom) // 2, x),), "Ctrl"), *outlines]
        case "split":
            one, other = fault.points
            return [Action((one,)), Action((other,), "Alt")]
        case _:
            return [Action(fault.points, "Ctrl")]


def outline(mask: Any) -> tuple[Point, ...]:
    """Pixels along the inside of an object's border, every second one, back to the first."""
    import cv2

    (border, *_), _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    points = [(int(y), int(x)) for x, y in border[::2, 0]]
    return (*points, points[0])


class CellposeWindow:
    """cellpose's window with labels in it, and a mouse.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers (Y, X).
    folder : pathlib.Path
        Where its files go.
    """

    def __init__(self, labels: Any, folder: Path) -> None:
        os.environ.update(HOME=str(folder), CELLPOSE_LOCAL_MODELS_PATH=str(folder))
        import logging

        import pyqtgraph
        import tifffile
        from cellpose.gui import gui, io
        from qtpy import QtCore, QtWidgets

        pyqtgraph.setConfigOption("mouseRateLimit", -1)  # every movement counts
        self._application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
        image, masks = folder / "cells.tif", folder / "masks.tif"
        tifffile.imwrite(image, ((labels > 0) * 200).astype(np.uint8))
        tifffile.imwrite(masks, labels.astype(np.uint16))
        self._window = gui.MainW(image=str(image), logger=logging.getLogger("cellpose"))
        self._window.disableAutosave.setChecked(True)
        QtWidgets.QMainWindow.resize(self._window, *_WINDOW)
        io._load_masks(self._window, str(masks))
        none, ctrl, alt = (
            QtCore.Qt.NoModifier,
            QtCore.Qt.ControlModifier,
            QtCore.Qt.AltModifier,
        )
        self._keys = {"": none, "Ctrl": ctrl, "Alt": alt}
        self._application.processEvents()

    @property
    def labels(self) -> Any:
        """Labels on display."""
        return np.asarray(self._window.cellpix[0]).astype(np.uint32)

    def carry_out(self, action: Action) -> None:
        """Click, or draw an outline from a right click back to its beginning."""
        from qtpy import QtCore
        from qtpy.QtTest import QTest

        first, *others = action.points
        button = QtCore.Qt.RightButton if others else QtCore.Qt.LeftButton
        viewport = self._window.win.viewport()
        self._move(first)
        QTest.mouseClick(viewport, button, self._keys[action.key], self._place(first))
        for point in others:
            self._move(point)
        if self._window.in_stroke:  # the outline is too small to end where it began
            QTest.mouseClick(viewport, button, self._keys[""], self._place(first))
        self._application.processEvents()

    def _move(self, point: Point) -> None:
        from qtpy.QtTest import QTest

        QTest.mouseMove(self._window.win.viewport(), self._place(point))
        self._application.processEvents()

    def _place(self, point: Point) -> Any:
        """Place of a pixel's middle in the window."""
        from qtpy import QtCore

        y, x = point
        scene = self._window.layer.mapToScene(QtCore.QPointF(x + 0.5, y + 0.5))
        return self._window.win.mapFromScene(scene)


if __name__ == "__main__":
    sys.exit(main())
