"""How fast flows are made and followed, beside cellpose's own functions on the same inputs.

    python benchmarks/flows.py --peers FOLDER          # the table
    python benchmarks/flows.py --sliders --scaling     # live thresholds; up to 8192 pixels wide
    python benchmarks/flows.py --cpu-time              # one thread, on a machine that is not quiet

FOLDER is where the peer was installed, apart from this environment:

    pip install --target FOLDER --no-deps cellpose fastremap fill-voids roifile natsort tqdm \
        segment-anything opencv-python-headless

or set NAPARI_SSP_PEERS to it. MEDIAR's code is not run here: its times are those recorded on a
two-core machine of the kind named in docs/performance.md, with the same sizes of image and object.
Each row's runs alternate, so that foreign load meets both; the figures are medians. Memory is the
peak beyond the inputs, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

THREADS = 1 if "--cpu-time" in sys.argv else 2
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))

import numpy as np  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds of MEDIAR, by threads: recorded, not measured in this run.
MEDIAR = {
    2: {"flows_to_labels 1200": 6.1, "labels_to_flows 300": 0.44, "labels_to_flows one": 4.1},
    1: {"flows_to_labels 1200": 9.7, "labels_to_flows 300": 0.73, "labels_to_flows one": 7.2},
}[THREADS]
#: Seconds of the wall, or of the processor where other work disturbs.
clock = time.process_time if THREADS == 1 else time.perf_counter
#: How many times faster than MEDIAR and than cellpose we promise to be.
BARS = {"flows_to_labels": (10.0, 8.0), "labels_to_flows": (10.0, 10.0)}
#: Seconds that a slider of the dock may take for 1024 x 1024 pixels.
SLIDER_BAR = 0.150


class Row(NamedTuple):
    """Medians of one comparison in seconds, peaks in megabytes; None where there is no peer."""

    name: str
    ours: float
    cellpose: float | None
    mediar: float | None
    ours_mb: float | None
    cellpose_mb: float | None

    def passed(self) -> bool:
        """Whether the bars hold that could be looked at."""
        mediar, cellpose = BARS[self.name.split()[0]]
        pairs = ((self.mediar, mediar), (self.cellpose, cellpose))
        return all(peer is None or peer >= bar * self.ours for peer, bar in pairs)


def crowded_cells(side: int, count: int, seed: int = 0) -> Any:
    """Int32 labels (side, side) of ``count`` round cells that touch; about 60 % of the pixels."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    grid = np.stack(np.divmod(np.arange(count), columns), axis=1) + 0.5
    spacing = np.array([side / rows, side / columns])
    centres = (grid + rng.uniform(-0.2, 0.2, grid.shape)) * spacing
    radius = rng.uniform(0.34, 0.58, count) * spacing.mean()
    tree = cKDTree(centres)
    labels = np.zeros((side, side), np.int32)
    for y in range(side):
        places = np.stack([np.full(side, y), np.arange(side)], axis=1)
        distance, nearest = tree.query(places)
        labels[y] = np.where(distance <= radius[nearest], nearest + 1, 0)
    return labels


def one_cell(side: int = 512, width: int = 400) -> Any:
    """Int32 labels of a single round cell."""
    y, x = np.mgrid[:side, :side] - side // 2
    return (y**2 + x**2 <= (width // 2) ** 2).astype(np.int32)


def network_like(labels: Any, noise: float = 0.5, seed: int = 0) -> tuple[Any, Any]:
    """Noisy flows in the network's scale, and a cell probability, as a good network gives them."""
    from napari_ssp.flows import labels_to_flows

    rng = np.random.default_rng(seed)
    flows = 5 * labels_to_flows(labels)
    flows += rng.standard_normal(flows.shape, np.float32) * np.float32(noise)
    logit = np.where(labels > 0, 4, -4) + rng.standard_normal(labels.shape, np.float32)
    return flows, (1 / (1 + np.exp(-logit))).astype(np.float32)


def medians(*functions: Callable[[], Any] | None, repeats: int = 5) -> list[float | None]:
    """Median seconds of each, with the runs taking turns; the first run of each does not count."""
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(repeats + 1):
        for function, spent in zip(functions, times, strict=True):
            if function is None:
                continue
            began = clock()
            function()
            if turn:
                spent.append(clock() - began)
    return [float(np.median(spent)) if spent else None for spent in times]


def peer_dynamics(folder: str | None) -> Any:
    """Import cellpose's module of flows, or say on standard error how to get it."""
    place = folder or os.environ.get("NAPARI_SSP_PEERS", "")
    if place:
        sys.path.append(place)
    try:
        import torch
        from cellpose import dynamics
    except ImportError as error:
        print(f"No cellpose ({error}): see the head of this file. Only our times.", file=sys.stderr)
        return None
    torch.set_num_threads(THREADS)
    return dynamics


def memory(function: Callable[[], Any], device: Any) -> float | None:
    """Megabytes that one call takes at its peak, beyond what is there before."""
    import torch

    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    except OSError:
        return None
    before = _status("VmRSS")
    function()
    return (_status("VmHWM") - before) / 1e3


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def measured_apart(script: str, index: int, who: str) -> float | None:
    """Memory of one side of a row of a script's table, in a process of its own."""
    words = [sys.executable, script, *sys.argv[1:], "--child", f"{index} {who}"]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    value: float | None = json.loads(done.stdout.splitlines()[-1])
    return value


def cell(seconds: float | None, megabytes: float | None) -> str:
    """Seconds and megabytes as the tables show them."""
    time_words = "-" if seconds is None else f"{seconds:.3f} s"
    return f"{time_words:>10} {'-' if megabytes is None else f'{megabytes:.0f} MB':>9}"


def sides(peer: Any) -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any] | None]]:
    """Name of each row, what we do and what cellpose does."""
    from napari_ssp.flows import flows_to_labels, labels_to_flows

    for name, labels in (
        ("labels_to_flows 300", crowded_cells(512, 300)),
        ("labels_to_flows one", one_cell()),
    ):
        theirs = None if peer is None else partial(peer.labels_to_flows, [labels])
        yield name, partial(labels_to_flows, labels), theirs
    flows, probability = network_like(crowded_cells(1024, 1200))
    logit = np.log(probability / (1 - probability))
    theirs = None if peer is None else partial(peer.resize_and_compute_masks, flows, logit)
    yield "flows_to_labels 1200", partial(flows_to_labels, flows, probability), theirs


def compare(peer: Any, repeats: int = 5) -> Iterator[Row]:
    """Both directions, ours and cellpose's, by turns; memory of each in a process of its own."""
    for index, (name, ours, theirs) in enumerate(sides(peer)):
        seconds, cellpose = medians(ours, theirs, repeats=repeats)
        taken = measured_apart(__file__, index, "ours")
        peak = None if theirs is None else measured_apart(__file__, index, "peer")
        yield Row(name, float(seconds or 0), cellpose, MEDIAR[name], taken, peak)


def sliders(repeats: int = 9) -> dict[str, tuple[float, float]]:
    """Median and largest seconds of new labels of 1200 cells after one setting changes."""
    from napari_ssp.flows import FlowField, TrackingSettings

    field = FlowField(*network_like(crowded_cells(1024, 1200)))
    field.labels()
    moves: dict[str, Callable[[int], TrackingSettings]] = {
        "flow threshold": lambda k: TrackingSettings(flow_threshold=0.1 + 0.1 * k),
        "cell threshold": lambda k: TrackingSettings(cell_threshold=0.1 + 0.08 * k),
        "minimum size": lambda k: TrackingSettings(min_size=20 * k, hole_size=16),
        "hole filling": lambda k: TrackingSettings(hole_size=10 * k),
    }
    result = {}
    for name, move in moves.items():
        spent = []
        for k in range(1, repeats + 1):
            began = clock()
            field.labels(move(k))
            spent.append(clock() - began)
        result[name] = (float(np.median(spent)), max(spent))
    return result


def scaling(sides: tuple[int, ...] = (1024, 2048, 4096, 8192)) -> list[tuple[int, float, float]]:
    """Side, and nanoseconds per foreground pixel of labels_to_flows and flows_to_labels."""
    from napari_ssp.flows import flows_to_labels, labels_to_flows

    rows = []
    for side in sides:
        labels = crowded_cells(side, 1200 * (side // 1024) ** 2)
        inside = int((labels > 0).sum())
        flows, probability = network_like(labels)
        there, back = (
            medians(lambda x=labels: labels_to_flows(x), repeats=3)[0],
            medians(lambda f=flows, p=probability: flows_to_labels(f, p), repeats=3)[0],
        )
        rows.append((side, 1e9 * float(there or 0) / inside, 1e9 * float(back or 0) / inside))
    return rows


def _ratio(peer: float | None, ours: float) -> str:
    return "       -" if peer is None else f"{peer:6.3f} s {peer / ours:5.1f} x"


def _child(chosen: argparse.Namespace) -> int:
    """Print the memory of one side of one row."""
    import torch

    index, who = chosen.child.split()
    rows = list(sides(peer_dynamics(chosen.peers) if who == "peer" else None))
    print(json.dumps(memory(rows[int(index)][1 if who == "ours" else 2], torch.device("cpu"))))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", help="folder with cellpose in it")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true", help="one thread, processor's seconds")
    parser.add_argument("--sliders", action="store_true", help="time changes of one setting")
    parser.add_argument("--scaling", action="store_true", help="time images up to 8192 pixels wide")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        return _child(chosen)
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    rows = []
    print(f"{'':22}{'ours':>20}   {'cellpose, this run':>29}   {'MEDIAR, recorded':>18}")
    for row in compare(peer_dynamics(chosen.peers), chosen.repeats):
        rows.append(row)
        times = "" if row.cellpose is None else f"{row.cellpose / row.ours:.1f} x"
        print(
            f"{row.name:22}{cell(row.ours, row.ours_mb)}   "
            f"{cell(row.cellpose, row.cellpose_mb)} {times:>8}   "
            f"{_ratio(row.mediar, row.ours):>18}   {'' if row.passed() else 'BAR MISSED'}",
            flush=True,
        )
    report: dict[str, Any] = {"rows": [row._asdict() for row in rows]}
    passed = all(row.passed() for row in rows)
    if chosen.sliders:
        report["sliders"] = sliders()
        for name, (median, largest) in report["sliders"].items():
            print(f"{name:22} median {1000 * median:5.0f} ms   largest {1000 * largest:5.0f} ms")
            passed &= median <= SLIDER_BAR
    if chosen.scaling:
        report["scaling"] = scaling()
        for side, there, back in report["scaling"]:
            print(
                f"{side} x {side}, per cell pixel: to flows {there:.0f} ns, to labels {back:.0f} ns"
            )
    print(f"load after {os.getloadavg()[0]:.1f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
