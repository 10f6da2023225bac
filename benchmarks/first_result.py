"""How long the first result takes: command and dock, with a cold kernel cache and a warm one.

    python benchmarks/first_result.py                  # with a display
    xvfb-run -a python benchmarks/first_result.py      # without
    python benchmarks/first_result.py --command        # the command only

Each run is a process of its own that segments the sample of 696 x 520 pixels with the starter
model on the processor. *Cold* is a computer's first run, whose kernels are not compiled; *warm* is
one that finds all of them. The command is timed from its start to its end. The dock is timed from
the click on Run to the labels layer, after it has been open with the image for the seconds of
``--look``; how late the event loop answered at worst since it was opened is given too. Runs
alternate, so that foreign load meets all alike; the figures are medians, of the wall's and of all
processors' seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

SAMPLE = "fluorescent_nuclei"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--look", type=float, default=0.0, help="seconds from dock to click")
    parser.add_argument("--command", action="store_true", help="without the dock")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_dock(options.look)))
        return
    ways = ["command"] if options.command else ["command", "dock"]
    runs: dict[str, list[dict[str, float]]] = {}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder, "warm")
        fill(warm)
        for way in ways:
            measure(way, options.look, warm, Path(folder))
        for number in range(options.repeats):
            for way in ways:
                caches = {"cold": Path(folder, f"cold {way} {number}"), "warm": warm}
                for name, cache in caches.items():
                    found = measure(way, options.look, cache, Path(folder))
                    runs.setdefault(f"{way}, {name}", []).append(found)
    report = {name: _medians(found) for name, found in runs.items()}
    for name, row in report.items():
        print(f"{name:16}", ", ".join(f"{key} {value:.2f} s" for key, value in row.items()))
    print(f"load {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {key: median(run[key] for run in found) for key in found[0]}


def fill(cache: Path) -> None:
    """Compile every kernel into a folder: a first result does not wait for that any more."""
    compile_all = (
        "from napari_ssp.service.segmentation.kernels import compile_kernels; "
        "list(compile_kernels())"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    subprocess.run([sys.executable, "-c", compile_all], env=environment, check=True)


def measure(way: str, look: float, cache: Path, folder: Path) -> dict[str, float]:
    """Time one process, with a folder for the compiled kernels."""
    from napari_ssp.io.samples import sample_path

    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's computer
    command = [sys.executable, __file__, "--child", "--look", str(look)]
    if way == "command":
        command = [sys.executable, "-m", "napari_ssp.cli", "segment", str(sample_path(SAMPLE))]
        command += ["-o", str(folder / "labels"), "--overwrite", "--device", "cpu"]
    before, began = _processor_seconds(), time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = {"wall": time.perf_counter() - began, "processors": _processor_seconds() - before}
    if way == "dock":
        found = {**json.loads(done.stdout), "processors": found["processors"]}
    return found


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_dock(look: float) -> dict[str, Any]:
    """Segment the sample in a viewer."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        import napari
        from event_loop import Ticker
        from qtpy.QtTest import QTest

        from napari_ssp.io.samples import sample_image

        viewer = napari.Viewer()
        viewer.add_image(sample_image(SAMPLE).plane(), name="nuclei")
        ticker = Ticker(lambda: "")
        ticker.start()
        _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment")
        dock.form.set_value(type(dock.form.value())(device="cpu"))
        QTest.qWait(round(1000 * look))
        while not dock.panel.run_button.isEnabled():
            QTest.qWait(10)
        ended: list[Any] = []
        dock.done.connect(ended.append)
        began = time.perf_counter()
        dock.panel.run_button.click()
        while not ended:
            QTest.qWait(10)
        seconds = time.perf_counter() - began
        ticker.stop()
        if ended[0].error is not None:
            raise ended[0].error
        late = max(delay for _, delay in ticker.delays)
        viewer.close()
    return {"click to labels": seconds, "latest answer": late}


if __name__ == "__main__":
    main()
