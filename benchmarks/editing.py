"""How long edits by the flows take, and how many clicks mend a segmentation with twenty faults.

    python benchmarks/editing.py              # 1024 x 1024 pixels, 1,200 cells
    python benchmarks/editing.py --count 400

No network runs: flows and cell probability are like those of a good network, with noise. The first
table has the time from the gesture to the pixels that change, the second what the faults that were
planted into true labels take: missed, merged, split and extra objects, five of each. A click is one
press of the button, a line another. `benchmarks/editing_peers.py` does the same in windows, with
cellpose's own tools beside ours.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from planted_faults import cells_of, plant

#: The tool that mends each kind of fault.
TOOLS = {"missed": "add", "merged": "split", "split": "join", "extra": "remove"}
#: Seconds that an edit may take for 1024 x 1024 pixels.
BAR = 0.100
_SIDE, _REPEATS = 1024, 40


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1200)
    chosen = parser.parse_args()
    from flows import crowded_cells, network_like
    from napari_ssp.flows.editing.edit import Outputs

    truth = crowded_cells(_SIDE, chosen.count).astype(np.uint32)
    outputs = Outputs(*network_like(truth))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {truth.max()} cells")
    slowest = time_tools(truth, outputs)
    mend(truth, outputs)
    return 0 if slowest <= BAR else 1


def time_tools(truth: Any, outputs: Any) -> float:
    """Print a line per tool, and return the largest of the medians in seconds."""
    from napari_ssp.flows.editing.edit import Tool

    print(f"{'tool':8}{'median':>12}{'largest':>12}")
    slowest = 0.0
    cells = cells_of(truth)[: _REPEATS + 1]
    for tool in Tool:
        spent = []
        for number, middle in cells:
            labels = np.where(truth == number, 0, truth) if tool is Tool.ADD else truth.copy()
            began = time.perf_counter()
            _edit(labels, outputs, tool, *_points(tool, middle))
            spent.append(time.perf_counter() - began)
        median = float(np.median(spent[1:]))  # the first one loads what it needs
        slowest = max(slowest, median)
        print(f"{tool:8}{1000 * median:9.1f} ms{1000 * max(spent[1:]):9.1f} ms")
    return slowest


def mend(truth: Any, outputs: Any) -> None:
    """Plant twenty faults, mend each as a person would, and print clicks, seconds and IoU."""
    planted = plant(truth)
    print(f"with twenty faults: {planted.describe(planted.labels)}")
    labels = planted.labels.copy()
    began = time.perf_counter()
    for fault in planted.faults:
        _edit(labels, outputs, TOOLS[fault.kind], *fault.points)
    took = time.perf_counter() - began
    lines = sum(len(fault.points) > 1 for fault in planted.faults)
    clicks = len(planted.faults) - lines
    print(f"after {clicks} clicks and {lines} lines, {took:.2f} s: {planted.describe(labels)}")


def _edit(labels: Any, outputs: Any, tool: Any, *points: tuple[int, int]) -> None:
    """Carry out a gesture in the labels."""
    from napari_ssp.flows.editing.apply import make_edit
    from napari_ssp.flows.editing.edit import Gesture, Tool

    make_edit(Gesture(Tool(tool), points), labels, outputs).apply(labels)


def _points(tool: str, middle: tuple[int, int]) -> list[tuple[int, int]]:
    """Choose what is drawn on a cell: a click; a line across it, or to its neighbour."""
    y, x = middle
    line = {"split": [(y - 8, x), (y + 8, x)], "join": [(y, x - 40), (y, x + 40)]}
    return line.get(tool, [middle])


if __name__ == "__main__":
    sys.exit(main())
