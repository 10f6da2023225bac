"""How long the Segment dock's sliders take from a move to the labels on display.

    python benchmarks/live_refinement.py               # 1024 x 1024 pixels, 1,200 cells
    python benchmarks/live_refinement.py --side 4096   # a large image, seen from near

A real window, on a virtual screen where there is none; two threads unless OMP_NUM_THREADS says
otherwise. Of a large image the visible part comes first, so that has a column of its own. The load
of the machine is printed, as everything here competes with it; the processor time, of all threads
and with the drawing of the window where no graphics card does it, hardly does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import numpy as np
import virtual_screen

#: Seconds that a slider may take for 1024 x 1024 pixels.
BAR = 0.150
MOVES = {
    "flow_threshold": [0.1 + 0.1 * k for k in range(1, 10)],
    "cell_threshold": [0.1 + 0.08 * k for k in range(1, 10)],
    "min_size": [20 * k for k in range(1, 10)],
    "hole_size": [10 * k for k in range(2, 11)],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=1024)
    chosen = parser.parse_args()
    if virtual_screen.is_needed():
        return virtual_screen.run_again()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        print(f"load before {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        medians = measure(chosen.side)
        print(f"load after {os.getloadavg()[0]:.1f}")
    return 0 if chosen.side > 1024 or max(medians) <= BAR else 1


def measure(side: int) -> list[float]:
    """Print a line per slider, and return the medians in seconds."""
    import napari

    from flows import crowded_cells, network_like

    flows, probability = network_like(crowded_cells(side, 1200 * (side // 1024) ** 2))
    viewer = napari.Viewer()
    viewer.window.resize(1400, 860)
    refining = _open(viewer, flows, probability)
    print(f"{'':16}{'visible part':>14}{'all, median':>14}{'all, largest':>14}{'processor':>12}")
    medians = []
    for name, values in MOVES.items():
        refining.panel.set_value(type(refining.panel.value())())
        _time(refining, name, values[0])
        spent = [_time(refining, name, value) for value in values[1:]]
        first, last, worked = (np.array(column) for column in zip(*spent, strict=True))
        medians.append(float(np.median(last)))
        near = f"{1000 * np.median(first):11.0f} ms" if first.any() else f"{'-':>14}"
        times = f"{1000 * medians[-1]:11.0f} ms{1000 * last.max():11.0f} ms"
        print(f"{name:16}{near:>14}{times}{1000 * np.median(worked):9.0f} ms")
    viewer.close()
    return medians


def _open(viewer: Any, flows: Any, probability: Any) -> Any:
    """Dock with a finished segmentation, as if a network had given these flows."""
    from qtpy.QtTest import QTest

    from napari_ssp.flows import flows_to_labels
    from napari_ssp.service import Segmentation
    from napari_ssp.widgets.segment.choices import SegmentChoices
    from napari_ssp.widgets.segment.dock import SegmentDock
    from napari_ssp.widgets.segment.results import prepare

    image = viewer.add_image(probability, name="cells")
    dock = SegmentDock(viewer)
    viewer.window.add_dock_widget(dock)
    found = Segmentation(flows_to_labels(flows, probability), flows, probability)
    prepared = prepare(found, SegmentChoices())
    dock._results.show(prepared, image)
    if probability.shape[0] > 1024:
        viewer.scene.camera.zoom *= probability.shape[0] / 1024
    QTest.qWait(500)
    dock.refining.set_result(prepared, image)
    return dock.refining


def _time(refining: Any, name: str, value: float) -> tuple[float, float, float]:
    """Seconds to the visible part, or 0 where all comes at once, to all, and of processors."""
    from qtpy.QtCore import QEventLoop
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    while not refining._live.is_settled:
        QTest.qWait(20)
    loop, patched = QEventLoop(), []
    note = refining._live.patched.connect(lambda _: patched.append(time.perf_counter()))
    end = refining.settled.connect(loop.quit)
    began, worked = time.perf_counter(), time.process_time()
    refining.panel.boxes[name].set_value(value)
    loop.exec()
    QApplication.processEvents()  # the canvas is drawn
    refining._live.patched.disconnect(note)
    refining.settled.disconnect(end)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    return (patched[0] - began if patched else 0.0), took, worked


if __name__ == "__main__":
    sys.exit(main())
